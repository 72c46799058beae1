-- Creates a tenant and its two books. Returns no row if the name is taken. The fingerprint key is in plain text or
-- sealed.
-- $1 tenant_id uuid, $2 name text, $3 fingerprint_key bytea, $4 sealed_fingerprint_key bytea, $5 sealed_under text,
-- $6 created_at timestamptz, $7 fee_basis_points integer, $8 fee_fixed bigint, $9 refunds_may_overdraw boolean,
-- $10 funds_delay_days integer, $11 amount_minimums jsonb, $12 payout_interval text, $13 dispute_fee bigint
with new_tenant as (
    insert into tenant (
        tenant_id, name, fingerprint_key, sealed_fingerprint_key, sealed_under, created_at
    )
    values ($1, $2, $3, $4, $5, $6)
    on conflict on constraint tenant_name_unique do nothing
    returning tenant_id
)
insert into book (
    tenant_id, livemode, fee_basis_points, fee_fixed, refunds_may_overdraw, funds_delay_days, amount_minimums,
    payout_interval, dispute_fee
)
select new_tenant.tenant_id, mode.livemode, $7, $8, $9, $10, $11, $12, $13
from new_tenant
cross join (values (false), (true)) as mode (livemode)
returning tenant_id
