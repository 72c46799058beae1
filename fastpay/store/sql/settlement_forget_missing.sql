-- Removes what was found to be missing in the file, except what was accepted.
-- $1 uuid      tenant
-- $2 boolean   mode
-- $3 uuid      settlement
-- $4 integer   revision that they stay for
-- $5 integer[] positions that were accepted
delete from settlement_row
where tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid and line is null
    and revision <> $4::integer and position <> all($5::integer[])
    and exists (
        select
        from settlement
        where settlement.tenant_id = $1::uuid
            and settlement.livemode = $2::boolean
            and settlement.settlement_id = $3::uuid
            and settlement.status = 'matching'
            and settlement.revision = $4::integer
    )
