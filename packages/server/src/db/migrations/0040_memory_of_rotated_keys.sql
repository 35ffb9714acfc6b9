-- Of a key that took another's place: the first of them, whose memories are its own. What is remembered outlives the secret.
alter table keys add column subject_id uuid;
