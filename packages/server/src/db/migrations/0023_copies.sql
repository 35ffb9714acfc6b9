-- Runs whose journal began elsewhere. `imported`: read in from a file, never executed. `fork`: it goes on from a step of another run.
alter table runs
  add column imported json,
  add column fork json,
  -- What it would write is recorded instead of executed. Children and continuations have it from the run that starts them.
  add column withholds_writes boolean not null default false;
