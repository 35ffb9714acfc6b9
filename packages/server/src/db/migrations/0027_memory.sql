-- Where a secret may be sent by tools, and for which agents: of each version, as it was set. Nowhere, unless it was said; null is every agent.
alter table secrets
  add column hosts text[] not null default '{}',
  add column agents text[];

-- What agents have remembered of those who asked them. `words` is for the search by words: of languages with spaces by their stems, of others by pairs of characters.
create table memories (
  tenant_id text not null,
  id uuid not null,
  subject_id text not null,
  agent text not null,
  kind text not null check (kind in ('fact', 'episode')),
  -- A fact of the same name takes its place.
  name text,
  text text not null,
  words tsvector not null,
  -- Whose words the run had read that remembered it.
  labels json not null,
  run_id uuid not null,
  -- The run and step that made it: a step that executes again makes no second one.
  made_by text not null,
  -- 32-bit floats of length one, the least significant byte first, and which model made them.
  embedding bytea,
  embedding_model text,
  created_at timestamptz not null default clock_timestamp(),
  recalled_at timestamptz,
  primary key (tenant_id, id),
  unique (tenant_id, made_by)
);
create index memories_of_subject on memories (tenant_id, subject_id, agent, id);
create unique index memories_of_name on memories (tenant_id, subject_id, agent, name) where name is not null;
select protect_tenant_table('memories');
-- Within a tenant each subject sees its own alone, whatever a statement says.
create policy of_subject on memories as restrictive to longhaul_tenant
  using (subject_id = current_setting('longhaul.subject', true)) with check (subject_id = current_setting('longhaul.subject', true));
