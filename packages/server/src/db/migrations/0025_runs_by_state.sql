-- Lists of runs in a state that few are in, newest first, without a walk over all that have completed.
create index runs_of_state on runs (tenant_id, state, id desc) where state <> 'completed';
