-- Addresses that take webhooks: what comes there, signed, starts a run or becomes a signal.
create table hooks (
  tenant_id text not null,
  id uuid primary key,
  name text not null,
  agent text not null,
  namespace text not null,
  scheme text not null,
  -- The name of the stored secret, not its value.
  secret text not null,
  action json not null,
  events text[],
  tolerance_ms int not null,
  is_paused boolean not null default false,
  asker json not null,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  unique (tenant_id, name)
);
select protect_tenant_table('hooks');

-- What became of each request. Nothing of its payload.
create table hook_deliveries (
  tenant_id text not null,
  id uuid primary key,
  hook_id uuid not null references hooks (id) on delete cascade,
  event_id text,
  -- What tells a repetition: only what the sender has signed.
  key text,
  outcome text not null check (outcome in ('started', 'signalled', 'repeated', 'left', 'refused')),
  reason text,
  run_id uuid,
  received_at timestamptz not null default clock_timestamp()
);
create index hook_deliveries_newest on hook_deliveries (hook_id, id desc);
create unique index hook_deliveries_once on hook_deliveries (hook_id, key) where outcome in ('started', 'signalled');
create index hook_deliveries_refused on hook_deliveries (hook_id, id desc) where outcome = 'refused';
create index hook_deliveries_old on hook_deliveries (received_at);
select protect_tenant_table('hook_deliveries');

update keys set permissions = permissions || array['hooks:manage'] where 'keys:manage' = any(permissions);
