-- Runs that runs have started. A child's end, and an end that its children must hear of, is written down with the end itself and told afterwards,
-- so that it is told however often the server is killed on the way.
alter table runs
  add column parent_id uuid,
  add column parent_op text,
  -- Goes on when its parent has ended.
  add column is_detached boolean not null default false,
  add column depth int not null default 0,
  -- The first run of those that continued one another, where that is another; and the one that this run continued as.
  add column lineage_id uuid,
  add column continued_as uuid;

create index runs_of_parent on runs (tenant_id, parent_id, id desc) where parent_id is not null;
create index runs_of_lineage on runs (tenant_id, lineage_id, id desc) where lineage_id is not null;

create table endings (
  tenant_id text not null,
  run_id uuid primary key,
  at timestamptz not null default clock_timestamp()
);
create index endings_oldest on endings (at);

alter table inbox drop constraint inbox_kind_check;
alter table inbox add constraint inbox_kind_check check (kind in ('signal', 'approval', 'cancel', 'retry', 'decision', 'child'));
