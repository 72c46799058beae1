-- A tenant's name, when it was created, in milliseconds since 1970, and its money rules in one mode.
-- $1 uuid    tenant
-- $2 boolean mode
select
    tenant.name, (extract(epoch from tenant.created_at) * 1000)::bigint as created_ms, book.rules
from (values ($1::uuid, $2::boolean)) as wanted (tenant_id, livemode)
cross join lateral (
    select *
    from tenant
    where tenant.tenant_id = wanted.tenant_id
    offset 0
) as tenant
cross join lateral (
    select *
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode between wanted.livemode and wanted.livemode
    order by book.livemode desc
    limit 1
) as book
