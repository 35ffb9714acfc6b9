-- Whether what a call is said to have used is an estimate in part. Of calls that were logged before, nobody noted it.
alter table calls add is_estimated boolean not null default false;
