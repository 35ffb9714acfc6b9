-- Where the events of a budget are told, and what became of telling each: to the address that the budget had when it happened.
alter table budgets add column webhook_url text;
alter table budget_events
  add column webhook_url text,
  add column notice_state text check (notice_state in ('pending', 'delivered', 'failed')),
  add column notice_attempt int not null default 0,
  add column notice_due_at timestamptz,
  add column notice_failure text;
create index budget_events_to_tell on budget_events (notice_due_at) where notice_state = 'pending';
