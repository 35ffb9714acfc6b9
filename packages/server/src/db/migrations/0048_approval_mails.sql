-- Mails to those who may decide an approval. `told`: 0 nobody was told yet, 1 that it waits, 2 that it will expire, 3 nobody is told of it any more.
-- What waited before this was there is told of to nobody.
alter table approvals add told smallint not null default 3 check (told between 0 and 3);
alter table approvals alter told set default 0;
create index approvals_to_tell on approvals (id) where state = 'pending' and told < 3;
alter table people add approval_mails boolean not null default true;
alter table people add mail_language text not null default 'en' check (mail_language in ('en', 'zh'));
alter table tenants add approval_mails boolean not null default true;
alter table mails add approval_id uuid references approvals on delete cascade;
alter table mails drop constraint mails_kind_check;
alter table mails add constraint mails_kind_check check (kind in ('invitation', 'link', 'reset', 'approval', 'approval-reminder', 'approval-expired'));
create index mails_of_approval on mails (approval_id) where approval_id is not null;
