-- Tools that come from elsewhere: which definitions people have approved, what operators allow, and how fast calls may follow each other.

-- The first listing of a connection at an address is taken as approved; what differs later waits in `offered` until a person approves it.
create table tool_pins (
  tenant_id text not null,
  agent text not null,
  connection text not null,
  -- Digest of the address, so that another server under the same name is not taken for this one.
  target text not null,
  tool text not null,
  -- As the model sees it.
  name text not null,
  hash text,
  definition json,
  offered_hash text,
  offered json,
  is_gone boolean not null default false,
  -- The agent's version that saw it first.
  version text not null,
  decided_by text,
  decided_at timestamptz,
  created_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, agent, connection, target, tool)
);

-- What an operator says about tools, by name or by the beginning of names with a star.
create table tool_limits (
  tenant_id text not null,
  agent text not null,
  pattern text not null,
  limits json not null,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  primary key (tenant_id, agent, pattern)
);

-- One row for each tool with a rate: the instant at which all of its calls so far will have been paid for.
create table tool_rates (
  tenant_id text not null,
  agent text not null,
  tool text not null,
  paid_until timestamptz not null,
  primary key (tenant_id, agent, tool)
);

select protect_tenant_table('tool_pins');
select protect_tenant_table('tool_limits');
select protect_tenant_table('tool_rates');
