-- Who has to say yes to an approval, where that is not one of those who may decide, and who has. `escalates_at`: from when on its roles limit nobody.
alter table approvals add rule json;
alter table approvals add approved_by json not null default '[]';
alter table approvals add escalates_at timestamptz;
alter table approvals add is_escalation_told boolean not null default false;
create index approvals_to_escalate on approvals (escalates_at) where state = 'pending' and not is_escalation_told and escalates_at is not null;
drop trigger note_change on approvals;
create trigger note_change before update of state, approved_by on approvals for each row
  when (old.state is distinct from new.state or old.approved_by::text is distinct from new.approved_by::text)
  execute function note_change();

-- What is told of an approval where its run's end is told. What waited before this was there is told nowhere.
alter table approvals add is_announced boolean not null default true;
alter table approvals alter is_announced set default false;
create index approvals_to_announce on approvals (id) where state = 'pending' and not is_announced;
alter table deliveries add approval_id uuid references approvals on delete cascade;
alter table deliveries drop constraint deliveries_run_id_n_key;
create unique index deliveries_once on deliveries (run_id, n, coalesce(approval_id, run_id));
create index deliveries_of_approval on deliveries (approval_id) where approval_id is not null;
