-- The next rows of a file that are to be matched.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    settlement
-- $4 integer only above this position
-- $5 integer rows at most
select position, type, reference, processor_id, gross, value_date
from settlement_row
where tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid and position > $4::integer
    and line is not null and not accepted
order by position
limit $5::integer
