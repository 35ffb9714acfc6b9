-- Why a call went where it went: the route's name and its reason; for learned routes also what the request was taken for, with which chance its model was drawn, and
-- whether the answer was what was asked for. `score` is a person's or a program's word on the answer, from 0 to 1.
alter table usage add column route json;
alter table usage add column score double precision check (score between 0 and 1);

create index usage_of_routes on usage (tenant_id, (route ->> 'name'), at desc, id desc) where route is not null;
