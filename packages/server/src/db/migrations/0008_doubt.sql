-- An operator's decision about a write that is in doubt reaches the run like any other message.
alter table inbox drop constraint inbox_kind_check;
alter table inbox add constraint inbox_kind_check check (kind in ('signal', 'approval', 'cancel', 'retry', 'decision'));
