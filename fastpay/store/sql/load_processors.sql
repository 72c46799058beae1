-- The processors of a tenant in one mode, in the order in which they were added, each with the rules of all.
-- $1 tenant_id uuid
-- $2 livemode boolean
select
    name, processor_id, kind, url, sealed, sealed_under, enabled, is_default, created_at,
    (
        select rules::text
        from processor_routing
        where processor_routing.tenant_id = $1::uuid and processor_routing.livemode = $2::boolean
    ) as rules
from processor
where tenant_id = $1::uuid and livemode = $2::boolean
order by created_at, name
