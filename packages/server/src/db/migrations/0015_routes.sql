-- Names that stand for models. A route is read and replaced as a whole.
create table routes (
  tenant_id text not null,
  name text not null,
  spec json not null,
  updated_at timestamptz not null,
  primary key (tenant_id, name)
);

select protect_tenant_table('routes');
