-- The image that a sandbox, and whatever begins as a copy of it, has as its root, by its reference; null: what the server gives to all.
alter table sandboxes add image text;
alter table snapshots add image text;
alter table templates add image text;
