-- Hooks before and after model calls.
create table guardrails (
  tenant_id text not null,
  name text not null,
  spec json not null,
  updated_at timestamptz not null,
  primary key (tenant_id, name)
);
select protect_tenant_table('guardrails');

-- That a guard found something in a call: what kind and how many, never the text.
create table guard_decisions (
  tenant_id text not null,
  id uuid primary key,
  at timestamptz not null,
  guardrail text not null,
  guard text not null,
  side text not null check (side in ('request', 'answer')),
  action text not null check (action in ('block', 'mask', 'annotate', 'repair')),
  found json not null,
  model text not null,
  request_id text,
  key_id text,
  agent text,
  run_id uuid
);
create index guard_decisions_latest on guard_decisions (tenant_id, id desc);
create index guard_decisions_of_run on guard_decisions (tenant_id, run_id, id desc) where run_id is not null;
create index guard_decisions_age on guard_decisions (at);
select protect_tenant_table('guard_decisions');
