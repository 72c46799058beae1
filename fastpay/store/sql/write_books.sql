-- Writes the last sequence number of each tenant.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bigint[]  sequences
update book
set sequence = changed.sequence
from (
    select unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode, unnest($3::bigint[]) as sequence
) as changed
where book.tenant_id = changed.tenant_id and book.livemode = changed.livemode
