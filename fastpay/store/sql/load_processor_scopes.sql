-- The tenants and modes, of all tenants, that have a processor of this name.
-- $1 name text
-- $2 rows_max integer
select tenant_id, livemode
from processor
where name = $1::text
order by name, processor_id
limit $2::integer
