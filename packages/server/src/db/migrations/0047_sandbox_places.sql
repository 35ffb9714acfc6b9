-- Sandboxes that runs are using, at all servers: what quotas on sandboxes count beside those that callers have made. A server says again and again that it has
-- them, so that those of one that is gone stop counting by themselves.
create table sandbox_places (
  tenant_id text not null,
  namespace text not null,
  sandbox_id text not null,
  home text not null,
  seen_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, sandbox_id, home)
);
select protect_tenant_table('sandbox_places');
create index sandbox_places_of_home on sandbox_places (home);
