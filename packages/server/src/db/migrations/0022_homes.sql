-- Where this database is at home: the addresses under which servers may work on it, and which history of it they found there last.
-- A copy, restored from a backup or cloned with its volume, has the rows of the original and another address: it is not worked on until somebody says so.
create table homes (
  address text primary key,
  incarnation text not null,
  adopted_at timestamptz not null default clock_timestamp()
);
