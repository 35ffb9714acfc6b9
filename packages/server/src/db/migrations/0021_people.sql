-- People of a tenant. Roles are resolved when they are used; null lists: all namespaces, all agents.
create table people (
  id uuid primary key,
  tenant_id text not null,
  email text not null check (email = lower(email)),
  name text not null,
  roles text[] not null,
  namespaces text[],
  agents text[],
  access json not null,
  is_disabled boolean not null default false,
  -- argon2id, in the usual text form. Null: invited, or signs in otherwise.
  password_hash text,
  -- Of the one link that works, if any.
  link_hash bytea unique,
  link_expires_at timestamptz,
  -- The authenticator's secret, sealed as values of `secrets` are. In force once `totp_confirmed`.
  totp_ciphertext bytea,
  totp_wrapped_key bytea,
  totp_master_key_id text,
  totp_confirmed boolean not null default false,
  -- The last time slice whose code was taken: none is taken twice.
  totp_slice bigint,
  recovery_hashes bytea[] not null default '{}',
  created_at timestamptz not null default clock_timestamp(),
  last_seen_at timestamptz,
  unique (tenant_id, email)
);
select protect_tenant_table('people');

-- Where people are signed in: browsers by a cookie, programs by a token. Only the hash of either is here.
create table logins (
  id uuid primary key,
  tenant_id text not null,
  person_id uuid not null references people on delete cascade,
  kind text not null check (kind in ('browser', 'program')),
  secret_hash bytea not null unique,
  agent text not null,
  address text not null,
  stepped_up_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  last_used_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null
);
select protect_tenant_table('logins');
create index logins_of_person on logins (tenant_id, person_id);
create index logins_expired on logins (expires_at);

-- Something that began and waits for its second half. Taken once.
create table tickets (
  secret_hash bytea primary key,
  tenant_id text not null,
  kind text not null,
  person_id uuid references people on delete cascade,
  -- What a person types to say which one they mean.
  user_code text,
  data json not null,
  tries int not null default 0,
  expires_at timestamptz not null,
  unique (tenant_id, user_code)
);
select protect_tenant_table('tickets');
create index tickets_expired on tickets (expires_at);
create index tickets_of_person on tickets (person_id) where person_id is not null;

-- How often somebody was wrong about an account, and until when they are not listened to. By where they ask from, so that nobody shuts another out.
create table guesses (
  tenant_id text not null,
  account text not null,
  source text not null,
  count int not null,
  blocked_until timestamptz not null,
  at timestamptz not null,
  primary key (tenant_id, account, source)
);
select protect_tenant_table('guesses');
create index guesses_old on guesses (at);
