-- By which words a kept answer is also found. `scope` is a hash of all else in the request. 32-bit floats of length one, and which model made them.
create table similar_answers (
  tenant_id text not null,
  key bytea not null,
  scope bytea not null,
  model text not null,
  text text not null,
  embedding bytea not null,
  kept_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, key)
);
create index similar_answers_of_scope on similar_answers (tenant_id, scope, model, kept_at desc);
create index similar_answers_expiry on similar_answers (expires_at);
select protect_tenant_table('similar_answers');
