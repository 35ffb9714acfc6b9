-- How many sandboxes and templates began with a version.
alter table templates add column use_count integer not null default 0;
