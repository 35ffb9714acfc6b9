-- Whose words from outside a message holds, where those are not its sender's.
alter table inbox add column labels text[] not null default '{}';
