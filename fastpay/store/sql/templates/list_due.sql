-- Objects of all tenants that change by themselves and are due by the database's clock, oldest first.
-- $1 integer rows at most
select tenant_id, livemode, {id} as object_id
from {table}
where {due} <= extract(epoch from now())::bigint
order by {due}, tenant_id, livemode, {id}
limit $1::integer
