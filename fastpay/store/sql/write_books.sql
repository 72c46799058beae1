-- How far each tenant's sequence has come.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bigint[]  sequences
update book
set sequence = changed.sequence
from unnest($1::uuid[], $2::boolean[], $3::bigint[]) as changed (tenant_id, livemode, sequence)
where book.tenant_id = changed.tenant_id and book.livemode = changed.livemode
