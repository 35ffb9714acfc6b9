-- Where a secret may be sent by tools, and for which agents: of each version, as it was set. Nowhere, unless it was said; null is every agent.
alter table secrets
  add column hosts text[] not null default '{}',
  add column agents text[];
