-- Where a tenant's people sign in besides here. The client secret is among its secrets.
create table single_sign_on (
  tenant_id text primary key,
  issuer text not null,
  client_id text not null,
  scopes text[] not null,
  -- Which claim says what somebody may do, and which roles its values come to. Null: roles are given here.
  roles_claim text,
  roles json not null,
  creates_people boolean not null,
  updated_at timestamptz not null default clock_timestamp()
);
select protect_tenant_table('single_sign_on');

-- Who they are there. Addresses are given to somebody else one day, subjects never.
alter table people add sso_issuer text, add sso_subject text, add unique (tenant_id, sso_issuer, sso_subject);
