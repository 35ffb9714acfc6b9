-- Providers of models that a tenant has keys of its own at. The keys are secrets: here are their names.
create table providers (
  tenant_id text not null,
  name text not null,
  secrets text[] not null check (cardinality(secrets) between 1 and 20),
  -- Absent: the vendor's own, or what the operator has set.
  base_url text,
  aws_region text,
  set_by_id text,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, name)
);
select protect_tenant_table('providers');
