-- Files that people send along with a message. The bytes lie in the blob folder, in the tenant's own part, under `digest`.
create table attachments (
  id uuid primary key,
  tenant_id text not null,
  namespace text not null,
  name text not null,
  media_type text not null,
  bytes int not null,
  digest text not null,
  -- The key or person, and nobody else may put it into a message.
  uploaded_by text not null,
  created_at timestamptz not null default clock_timestamp()
);
select protect_tenant_table('attachments');
create index attachments_of_digest on attachments (tenant_id, digest);
create index attachments_oldest on attachments (created_at);

-- Which runs' messages have it, and its name in their conversation. It is kept as long as one of them is.
create table attachment_uses (
  tenant_id text not null,
  attachment_id uuid not null references attachments,
  run_id uuid not null,
  name text not null,
  created_at timestamptz not null default clock_timestamp(),
  primary key (run_id, attachment_id)
);
select protect_tenant_table('attachment_uses');
create index attachment_uses_of_attachment on attachment_uses (attachment_id);

/*
 * A run is given the files that its input names in the very statement that makes it, whichever way it came to be: those of its asker, and those that
 * the run has which it comes from. What names another file is a text like any other. It never fails, and it waits for nobody: a file that is being
 * deleted at this moment is passed over.
 */
create function use_attachments(tenant text, of_run uuid, of_namespace text, asker text, from_runs uuid[], message json) returns void
language plpgsql
as $$
begin
  with given as (
    select
      case when item ->> 'id' ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' then (item ->> 'id')::uuid end as id,
      left(item ->> 'name', 200) as name
    from json_array_elements(message -> 'attachments') with ordinality as listed (item, place)
    where place <= 100 and item ->> 'name' <> ''
  ), own as (
    select attachments.id, given.name
    from attachments join given on given.id = attachments.id
    where attachments.tenant_id = tenant and attachments.namespace = of_namespace and (
      attachments.uploaded_by = asker
      or exists (
        select from attachment_uses used
        where used.attachment_id = attachments.id and used.tenant_id = tenant and used.run_id = any (from_runs)
      )
    )
    for key share of attachments skip locked
  )
  insert into attachment_uses (tenant_id, attachment_id, run_id, name)
  select tenant, own.id, of_run, own.name from own
  on conflict do nothing;
end
$$;

create function use_attachments_of_run() returns trigger
language plpgsql
as $$
begin
  perform use_attachments(
    new.tenant_id, new.id, new.namespace, new.asker ->> 'id', array[new.parent_id, new.lineage_id, (new.fork ->> 'runId')::uuid], new.input
  );
  return null;
end
$$;
create trigger use_attachments after insert on runs for each row
  when (json_typeof(new.input -> 'attachments') = 'array')
  execute function use_attachments_of_run();

-- What is said to a run that is under way.
create function use_attachments_of_message() returns trigger
language plpgsql
as $$
begin
  perform use_attachments(runs.tenant_id, runs.id, runs.namespace, runs.asker ->> 'id', array[]::uuid[], new.payload)
  from runs
  where runs.id = new.run_id and runs.tenant_id = new.tenant_id;
  return null;
end
$$;
create trigger use_attachments after insert on inbox for each row
  when (new.kind = 'steer' and json_typeof(new.payload -> 'attachments') = 'array')
  execute function use_attachments_of_message();
