-- Master keys as a key service has encrypted them: worth nothing without it. The newest is in use; the others open what has not been taken over yet.
-- They belong to the installation and to no tenant, so that no tenant's role may read them.
create table master_keys (
  id uuid primary key,
  service text not null,
  wrapped text not null,
  created_at timestamptz not null default clock_timestamp()
);
