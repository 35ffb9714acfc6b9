-- Runs of an agent, newest first. Without it an agent whose runs are all old cost a walk over everybody's newer ones.
create index runs_of_agent on runs (tenant_id, agent, id desc);
