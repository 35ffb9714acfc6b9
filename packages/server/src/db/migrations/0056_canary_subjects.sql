-- Whom a canary is for by name, and whom not: sessions, people and keys. With some named it may have no share of the others.
alter table deployments add canary_subjects json;
alter table deployments drop constraint deployments_share_check;
alter table deployments add constraint deployments_share_check check (share between 0 and 100);
