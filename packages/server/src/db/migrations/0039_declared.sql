-- What a version's folder declares holds while the version is live: schedules that fire, and channels, which are hooks. Their rows follow the live version.

-- Whose access that has which is declared: that of whoever gave the version to all runs.
alter table deployments add column asker json;
-- Since when what the version declares has held. Null: it has to be made so.
alter table deployments add column declared_at timestamptz;
create index deployments_undeclared on deployments (created_at) where state = 'live' and declared_at is null;

alter table schedules add column from_version text;
-- The setting as the folder has it, to see whether it has changed. Null where it is declared no longer, and is kept because somebody has paused it.
alter table schedules add column declared json;
create index schedules_declared on schedules (tenant_id, agent) where from_version is not null;

alter table hooks add column from_version text;
-- As the folder has it. Null with a `from_version`: it is declared no longer, and is kept because somebody has paused it.
alter table hooks add column channel json;
create index hooks_declared on hooks (tenant_id, agent) where from_version is not null;
