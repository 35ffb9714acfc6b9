-- Catalogues of models that were read after the program was made: looked at first, applied then. At most one of a tenant counts.
create table catalogue_versions (
  tenant_id text not null,
  id uuid not null,
  source text not null,
  read_on date not null,
  models json not null,
  change_count int not null,
  made_by text not null,
  made_at timestamptz not null default clock_timestamp(),
  applied_by text,
  applied_at timestamptz,
  is_current boolean not null default false,
  primary key (tenant_id, id)
);
create unique index catalogue_versions_current on catalogue_versions (tenant_id) where is_current;
select protect_tenant_table('catalogue_versions');
