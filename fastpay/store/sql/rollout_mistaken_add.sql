-- For all tenants: note objects of the legacy API whose identifiers look like this server's.
-- $1 prefixes text[], each once
-- $2 identifiers text[]
-- $3 route text
insert into rollout_mistaken (prefix, identifier, route)
select found.prefix, found.identifier, $3::text
from unnest($1::text[], $2::text[]) as found (prefix, identifier)
-- Instances write at the same time, and lock the rows in this order.
order by found.prefix
on conflict (prefix) do update
set identifier = excluded.identifier, route = excluded.route, last_at = clock_timestamp()
