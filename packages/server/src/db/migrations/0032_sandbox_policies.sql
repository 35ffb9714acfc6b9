-- Where sandboxes may run: drivers, which to take, and whether the host's kernel may be shared.
alter table tenants add sandbox_policy json not null default '{}';
alter table namespaces add sandbox_policy json not null default '{}';
-- What a sandbox was opened in last. Null: before this was written down.
alter table sandboxes add driver text;
