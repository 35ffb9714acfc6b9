-- Tool connections that a tenant shares among its agents. A version is never changed but in its state.
create table marketplace_versions (
  tenant_id text not null,
  entry text not null,
  version int not null,
  description text not null,
  connection json not null,
  -- Of an OpenAPI connection: its document.
  document text,
  -- What was approved when it was published: name, description and hash of each tool.
  tools json not null,
  hash text not null,
  state text not null default 'published' check (state in ('published', 'approved', 'rejected', 'revoked')),
  published_by text not null,
  published_at timestamptz not null default clock_timestamp(),
  decided_by text,
  decided_at timestamptz,
  reason text,
  primary key (tenant_id, entry, version)
);
select protect_tenant_table('marketplace_versions');
create index marketplace_versions_newest on marketplace_versions (tenant_id, published_at desc);

create table marketplace_installs (
  tenant_id text not null,
  namespace text not null,
  entry text not null,
  version int not null,
  hash text not null,
  installed_by text not null,
  installed_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, namespace, entry),
  foreign key (tenant_id, entry, version) references marketplace_versions
);
select protect_tenant_table('marketplace_installs');
create index marketplace_installs_of_version on marketplace_installs (tenant_id, entry, version);

-- Whoever may manage keys could make a key with the new right.
update keys set permissions = permissions || array['tools:review'] where 'keys:manage' = any(permissions);
