-- In which transaction a row last changed in what others are told of it. Whoever follows a list reads rows of transactions that are
-- over and comes back with the number of the last: nothing that commits late can appear behind it. Rows that are there already have this one's.
alter table runs add changed_in xid8 not null default pg_current_xact_id();
alter table approvals add changed_in xid8 not null default pg_current_xact_id();
alter table deliveries add changed_in xid8 not null default pg_current_xact_id();

create function note_change() returns trigger
language plpgsql
as $$
begin
  new.changed_in := pg_current_xact_id();
  return new;
end
$$;

create trigger note_change before update of state, wait on runs for each row
  when (old.state is distinct from new.state or old.wait::text is distinct from new.wait::text)
  execute function note_change();
create trigger note_change before update of state on approvals for each row
  when (old.state is distinct from new.state)
  execute function note_change();
create trigger note_change before update of state on deliveries for each row
  when (old.state is distinct from new.state)
  execute function note_change();

create index runs_changes on runs (tenant_id, changed_in, id);
create index approvals_changes on approvals (tenant_id, changed_in, id);
create index deliveries_changes on deliveries (tenant_id, changed_in, id) where state = 'failed';
