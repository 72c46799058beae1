-- Refunds that were there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    refunds
-- $4 integer[] versions
-- $5 text[]    statuses
update refund
set version = changed.version, status = changed.status
from (
    select unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode,
        unnest($3::uuid[]) as refund_id, unnest($4::integer[]) as version, unnest($5::text[]) as status
) as changed
where refund.tenant_id = changed.tenant_id
    and refund.livemode = changed.livemode
    and refund.refund_id = changed.refund_id
