-- Who may call. A key's secret is never stored: only its SHA-256, which is enough to recognise 256 random bits.
create table keys (
  id uuid primary key,
  tenant_id text not null,
  name text not null,
  secret_hash bytea not null unique,
  permissions text[] not null,
  access json not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  deleted_at timestamptz
);

create index keys_by_tenant on keys (tenant_id, created_at desc) where deleted_at is null;
