-- Writes what became of rows, unless they are matched anew by now.
-- $1 uuid      tenant
-- $2 boolean   mode
-- $3 uuid      settlement
-- $4 integer   revision
-- $5 integer[] positions
-- $6 text[]    statuses
-- $7 bigint[]  what is booked here
-- $8 uuid[]    attempts
update settlement_row
set status = decided.status, ours = decided.ours, attempt_id = decided.attempt_id, revision = $4::integer
from unnest($5::integer[], $6::text[], $7::bigint[], $8::uuid[]) as decided (position, status, ours, attempt_id)
where settlement_row.tenant_id = $1::uuid
    and settlement_row.livemode = $2::boolean
    and settlement_row.settlement_id = $3::uuid
    and settlement_row.position = decided.position
    and not settlement_row.accepted
    and exists (
        select
        from settlement
        where settlement.tenant_id = $1::uuid
            and settlement.livemode = $2::boolean
            and settlement.settlement_id = $3::uuid
            and settlement.status = 'matching'
            and settlement.revision = $4::integer
    )
