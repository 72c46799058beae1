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
from (
    -- The whole key is a part of it: so the planner looks up each row, and never reads all of the settlement's.
    select
        $1::uuid as tenant_id, $2::boolean as livemode, $3::uuid as settlement_id, unnest($5::integer[]) as position,
        unnest($6::text[]) as status, unnest($7::bigint[]) as ours, unnest($8::uuid[]) as attempt_id
) as decided
where settlement_row.tenant_id = decided.tenant_id
    and settlement_row.livemode = decided.livemode
    and settlement_row.settlement_id = decided.settlement_id
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
