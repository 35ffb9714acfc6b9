-- A run of a subagent is a run of its parent's version that executes a part of it; and what it may spend is its parent's to say.
alter table runs
  add column part text,
  add column cost_usd_max double precision,
  -- Whose words it has read: what came from tool servers and the web, through its children and its session as well.
  add column labels json;

-- `steer`: what was said in a session to the run under way, for its next model call. What no model call took becomes a run of its own.
alter table inbox drop constraint inbox_kind_check;
alter table inbox add constraint inbox_kind_check check (kind in ('signal', 'approval', 'cancel', 'retry', 'decision', 'child', 'steer'));
