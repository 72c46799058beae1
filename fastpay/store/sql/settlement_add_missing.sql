-- Adds payments that a file lacks, behind its rows, unless these are matched anew by now.
-- $1 uuid      tenant
-- $2 boolean   mode
-- $3 uuid      settlement
-- $4 integer   revision
-- $5 integer[] positions
-- $6 text[]    statuses
-- $7 bigint[]  what is booked here
-- $8 uuid[]    attempts
-- $9 text[]    types
insert into settlement_row (
    tenant_id, livemode, settlement_id, revision, gross, fee, net, position, status, ours, attempt_id, type
)
select $1::uuid, $2::boolean, $3::uuid, $4::integer, 0, 0, 0, found.*
from unnest($5::integer[], $6::text[], $7::bigint[], $8::uuid[], $9::text[]) as found
where exists (
        select
        from settlement
        where settlement.tenant_id = $1::uuid
            and settlement.livemode = $2::boolean
            and settlement.settlement_id = $3::uuid
            and settlement.status = 'matching'
            and settlement.revision = $4::integer
    )
on conflict (tenant_id, livemode, settlement_id, position) do nothing
