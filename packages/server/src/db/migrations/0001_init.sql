-- Runs and their journal. Every table has a tenant from its first column on.

-- A running server process. A node may write for the runs that it owns only while its row says so: each of its transactions
-- touches this row, and whoever decides over the node's head (it is dead, a run of it was taken) raises `fence` first.
create table nodes (
  id uuid primary key,
  incarnation text not null,
  place text not null,
  pid int not null,
  started_at timestamptz not null default clock_timestamp(),
  lease_until timestamptz not null,
  is_dead boolean not null default false,
  fence bigint not null default 0,
  flush bigint not null default 0
) with (fillfactor = 50);

create table runs (
  id uuid primary key,
  tenant_id text not null,
  namespace text not null default 'default',
  agent text not null,
  version text not null,
  session_id text,
  state text not null check (state in ('pending', 'running', 'waiting', 'completed', 'failed', 'cancelled')),
  input json not null,
  output json,
  failure json,
  wait json,
  usage json,
  asker json not null,
  idempotency_key text,
  request_hash text,
  -- Who executes it, and how often it has been claimed. Null while it waits for somebody to look at it.
  node_id uuid,
  epoch int not null default 0,
  -- When somebody must look at this run next: its start, its timer, a message for it. Null: nobody need.
  due_at timestamptz,
  -- Messages ever sent to it. Compared with how many its owner has seen, so that none is slept through.
  inbox_count int not null default 0,
  event_count int not null default 0,
  created_at timestamptz not null default clock_timestamp(),
  started_at timestamptz,
  ended_at timestamptz
) with (fillfactor = 80);

create unique index runs_by_idempotency_key on runs (tenant_id, agent, idempotency_key) where idempotency_key is not null;
create index runs_due on runs (due_at) where due_at is not null;
create index runs_of_node on runs (node_id) where node_id is not null;
create index runs_newest on runs (tenant_id, id desc);
create index runs_of_session on runs (tenant_id, agent, session_id, id) where session_id is not null;

-- The journal: immutable, numbered facts. `data` is json, not jsonb, since a replay must get back the very bytes, order of keys included.
-- `hash` chains each event to the one before. No foreign key: the writer inserts both, and a check of each row would cost a lock of its run.
create table events (
  run_id uuid not null,
  seq int not null,
  tenant_id text not null,
  epoch int not null,
  at timestamptz not null,
  type text not null,
  op text,
  data json not null,
  hash bytea not null,
  primary key (run_id, seq)
);

-- What the outside tells a run: signals, decisions, a cancellation. Only the run's owner writes its journal; it takes these into it.
create table inbox (
  id uuid primary key,
  tenant_id text not null,
  run_id uuid not null,
  kind text not null check (kind in ('signal', 'approval', 'cancel', 'retry')),
  name text not null,
  payload json not null,
  sent_by text not null,
  idempotency_key text,
  is_taken boolean not null default false,
  created_at timestamptz not null default clock_timestamp()
);
create index inbox_open on inbox (run_id, id) where not is_taken;
create unique index inbox_by_idempotency_key on inbox (run_id, idempotency_key) where idempotency_key is not null;

create table approvals (
  id uuid primary key,
  tenant_id text not null,
  run_id uuid not null,
  agent text not null,
  op text not null,
  title text not null,
  detail json,
  state text not null default 'pending' check (state in ('pending', 'approved', 'denied', 'expired', 'withdrawn')),
  decided_by text,
  comment text,
  created_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz,
  decided_at timestamptz
);
create index approvals_newest on approvals (tenant_id, id desc);
create index approvals_open on approvals (run_id) where state = 'pending';

-- A conversation. Its row is what two messages that arrive together queue for.
create table sessions (
  tenant_id text not null,
  agent text not null,
  id text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, agent, id)
);
