-- Messages that programs outside fetch when they like. One is the end of one run, under the id of its delivery.
create table queue_messages (
  tenant_id text not null,
  id uuid primary key,
  queue text not null,
  run_id uuid not null,
  agent text not null,
  body json not null,
  sent_at timestamptz not null default clock_timestamp(),
  -- Nobody is given it before. Who takes it moves this on, and has until then to acknowledge it.
  visible_at timestamptz not null default clock_timestamp(),
  -- Who took it last knows this. Whoever took it before does not any more.
  receipt uuid,
  receive_count int not null default 0
);
create index queue_messages_next on queue_messages (tenant_id, queue, visible_at, id);
select protect_tenant_table('queue_messages');

-- How long runs that have ended are kept. An empty namespace: all that have no row of their own.
create table retention (
  tenant_id text not null,
  namespace text not null,
  days int not null check (days > 0),
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, namespace)
);
select protect_tenant_table('retention');
create index runs_ended on runs (tenant_id, ended_at) where ended_at is not null;
create index queue_messages_of_run on queue_messages (run_id);
