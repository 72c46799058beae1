-- Forgets how rows were matched, except those that were accepted.
-- $1 uuid      tenant
-- $2 boolean   mode
-- $3 uuid      settlement
-- $4 integer   revision that may do so
-- $5 integer   only above this position
-- $6 integer   only up to this position
-- $7 integer[] positions that were accepted
update settlement_row
set
    accepted = position = any($7::integer[]),
    status = case when position = any($7::integer[]) then status else 'pending' end,
    ours = case when position = any($7::integer[]) then ours else 0 end,
    attempt_id = case when position = any($7::integer[]) then attempt_id end
where tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid
    and position > $5::integer and position <= $6::integer and line is not null
    and revision < $4::integer
    and exists (
        select
        from settlement
        where settlement.tenant_id = $1::uuid
            and settlement.livemode = $2::boolean
            and settlement.settlement_id = $3::uuid
            and settlement.status = 'matching'
            and settlement.revision = $4::integer
    )
