-- Public keys of people's authenticators, which sign a challenge of ours.
create table passkeys (
  id uuid primary key,
  tenant_id text not null,
  person_id uuid not null references people on delete cascade,
  -- What the authenticator calls it. Another person's may be the same: it is looked for together with its owner.
  credential_id text not null,
  public_key bytea not null,
  -- How often it has signed, as it says itself. Some always say 0; of others it only rises.
  counter bigint not null,
  host text not null,
  name text not null,
  transports text[] not null,
  is_synced boolean not null,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz,
  unique (person_id, credential_id)
);
select protect_tenant_table('passkeys');
