-- Mails of agents, each written in the transaction that records the step that asked for it: one for each step, however often that is executed.
create table agent_mails (
  tenant_id text not null,
  id uuid primary key,
  run_id uuid not null,
  op text not null,
  namespace text not null,
  agent text not null,
  recipient text not null,
  subject text not null,
  -- Gone once it was sent.
  body text,
  -- `sending` until the SMTP server has answered. Where nobody heard the answer the mail is in doubt, and is not sent again by itself.
  state text not null default 'pending' check (state in ('pending', 'sending', 'sent', 'failed', 'in_doubt')),
  attempt int not null default 0,
  due_at timestamptz default clock_timestamp(),
  failure text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz,
  unique (tenant_id, run_id, op)
);
select protect_tenant_table('agent_mails');
create index agent_mails_due on agent_mails (due_at) where state in ('pending', 'sending');
create index agent_mails_newest on agent_mails (tenant_id, id desc);
create index agent_mails_ended on agent_mails (ended_at) where ended_at is not null;
