-- Those of these attempts that a row has settled, or that were written off.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid[]  attempts
-- $4 uuid    settlement that is matched
-- $5 integer revision: its rows have taken nothing yet that were matched before
select attempt_id
from settlement_row
where tenant_id = $1::uuid and livemode = $2::boolean and attempt_id = any($3::uuid[])
    and (status in ('matched', 'amount_differs') or (status = 'missing_there' and accepted))
    and (settlement_id <> $4::uuid or revision = $5::integer or accepted)
