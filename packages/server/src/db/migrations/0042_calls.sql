-- The key that a tenant's own texts are encrypted with, itself sealed under the master key. Made when the first of them is written; without it they are gone.
create table tenant_keys (
  tenant_id text primary key,
  ciphertext bytea not null,
  wrapped_key bytea not null,
  master_key_id text not null
);
select protect_tenant_table('tenant_keys');

-- What is kept of prompts and answers of calls outside of runs. An empty namespace: all that have no rule of their own.
create table call_privacy (
  tenant_id text not null,
  namespace text not null,
  privacy text not null check (privacy in ('full', 'masked', 'none')),
  days int not null check (days > 0),
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, namespace)
);
select protect_tenant_table('call_privacy');

-- Model calls outside of runs. `at`: when it was asked. `cost` in billionths of a dollar; null: not known.
create table calls (
  tenant_id text not null,
  id uuid not null,
  at timestamptz not null,
  namespace text not null,
  key_id text not null,
  user_id text,
  session_id text,
  face text not null,
  is_stream boolean not null,
  model text not null,
  answered_by text,
  outcome text not null check (outcome in ('answered', 'failed', 'aborted')),
  status int not null,
  code text,
  is_kept_answer boolean not null,
  input bigint not null,
  output bigint not null,
  cost bigint,
  duration_ms int not null,
  tags json,
  privacy text not null check (privacy in ('full', 'masked', 'none')),
  expires_at timestamptz not null,
  primary key (tenant_id, id)
);
create index calls_newest on calls (tenant_id, at desc, id desc);
create index calls_of_key on calls (tenant_id, key_id, at desc, id desc);
create index calls_of_user on calls (tenant_id, user_id, at desc, id desc) where user_id is not null;
create index calls_expiry on calls (expires_at);
select protect_tenant_table('calls');

-- What was said in them, as bytes under the tenant's key. A call of privacy `none` has no row here.
create table call_texts (
  tenant_id text not null,
  id uuid not null,
  request bytea,
  answer bytea,
  is_cut boolean not null,
  primary key (tenant_id, id)
);
alter table call_texts alter column request set storage external, alter column answer set storage external;
select protect_tenant_table('call_texts');
