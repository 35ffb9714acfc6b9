-- One mail to one person, written with what it tells of. The link in it is made from the id and the installation's key when it is sent, so that none is here.
create table mails (
  tenant_id text not null,
  id uuid primary key,
  person_id uuid not null references people on delete cascade,
  kind text not null check (kind in ('invitation', 'link', 'reset')),
  language text not null check (language in ('en', 'zh')),
  state text not null default 'pending' check (state in ('pending', 'sent', 'failed', 'dropped')),
  attempt int not null default 0,
  due_at timestamptz default clock_timestamp(),
  failure text,
  created_at timestamptz not null default clock_timestamp(),
  ended_at timestamptz
);
select protect_tenant_table('mails');
create index mails_due on mails (due_at) where state = 'pending';
create index mails_newest on mails (tenant_id, id desc);
create index mails_ended on mails (ended_at) where ended_at is not null;
create index mails_of_person on mails (person_id);
