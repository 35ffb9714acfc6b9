-- What runs have taken of the workers that executed their code.
alter table runs add column cpu_ms double precision not null default 0, add column memory_mb_s double precision not null default 0;
