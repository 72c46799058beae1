-- The attempts at a processor in a range of time that moved money, or may have, and that no row has settled.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    only above this identifier
-- $4 uuid    only below this identifier
-- $5 text    processor
-- $6 text    currency
-- $7 integer rows at most
select attempt_id
from attempt
where tenant_id = $1::uuid and livemode = $2::boolean and attempt_id > $3::uuid and attempt_id < $4::uuid
    and processor = $5::text and currency = $6::text and (status = 'approved' or held > 0)
    and not exists (
        select
        from settlement_row
        where settlement_row.tenant_id = attempt.tenant_id
            and settlement_row.livemode = attempt.livemode
            and settlement_row.attempt_id = attempt.attempt_id
            and (
                settlement_row.status in ('matched', 'amount_differs')
                or (settlement_row.status = 'missing_there' and settlement_row.accepted)
            )
    )
order by attempt_id
limit $7::integer
