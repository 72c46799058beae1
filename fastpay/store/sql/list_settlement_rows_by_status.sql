-- Rows of a settlement that have a status, in the order of the file.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    settlement
-- $4 integer only above this position
-- $5 integer only below this position
-- $6 boolean nearest below first
-- $7 integer rows at most
-- $8 text    status
select position, line, type, reference, processor_id, gross, fee, net, value_date, status, ours, attempt_id, accepted
from (
    (
        select *
        from settlement_row
        where not $6::boolean and tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid and status = $8::text
            and position > $4::integer and position < $5::integer
        order by position
        limit $7::integer
    )
    union all
    (
        select *
        from settlement_row
        where $6::boolean and tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid and status = $8::text
            and position > $4::integer and position < $5::integer
        order by position desc
        limit $7::integer
    )
) as found
order by position
