-- Answers of models that are given again to the same request. `key` is a hash of the request; the request itself is not kept.
create table kept_answers (
  tenant_id text not null,
  key bytea not null,
  model text not null,
  headers json not null,
  body bytea not null,
  kept_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, key)
);
create index kept_answers_expiry on kept_answers (expires_at);

select protect_tenant_table('kept_answers');
