-- Limits that an agent's own code declares, in a table of their own: the one that operators set for the same scope stands beside it, and the stricter one
-- decides. A server of before does not know them.
create table agent_limits (like limits including all);
select protect_tenant_table('agent_limits');
