-- Charges that were there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    charges
-- $4 integer[] versions
-- $5 text[]    statuses
-- $6 boolean[] captured
-- $7 bigint[]  amounts captured
-- $8 bigint[]  amounts refunded
-- $9 bigint[]  fees
update charge
set version = changed.version, status = changed.status, captured = changed.captured,
    amount_captured = changed.amount_captured, amount_refunded = changed.amount_refunded, fee = changed.fee
from (
    select unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode,
        unnest($3::uuid[]) as charge_id, unnest($4::integer[]) as version, unnest($5::text[]) as status,
        unnest($6::boolean[]) as captured, unnest($7::bigint[]) as amount_captured,
        unnest($8::bigint[]) as amount_refunded, unnest($9::bigint[]) as fee
) as changed
where charge.tenant_id = changed.tenant_id
    and charge.livemode = changed.livemode
    and charge.charge_id = changed.charge_id
