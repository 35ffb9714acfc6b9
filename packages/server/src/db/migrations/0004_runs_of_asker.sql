-- A key with limited access lists only the runs that it asked for, and finds a page of them without reading everybody's.
create index runs_of_asker on runs (tenant_id, (asker ->> 'id'), id desc);
