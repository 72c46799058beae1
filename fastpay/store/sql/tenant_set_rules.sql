-- Changes money rules of a tenant in these modes. Null leaves a rule as it is; a minimum of null removes it.
-- $1 tenant_id uuid, $2 livemodes boolean[], $3 fee_basis_points integer, $4 fee_fixed bigint,
-- $5 refunds_may_overdraw boolean, $6 funds_delay_days integer, $7 amount_minimums jsonb, $8 payout_interval text,
-- $9 dispute_fee bigint
update book
set fee_basis_points = coalesce($3, fee_basis_points),
    fee_fixed = coalesce($4, fee_fixed),
    refunds_may_overdraw = coalesce($5, refunds_may_overdraw),
    funds_delay_days = coalesce($6, funds_delay_days),
    amount_minimums = jsonb_strip_nulls(amount_minimums || $7),
    payout_interval = coalesce($8, payout_interval),
    dispute_fee = coalesce($9, dispute_fee)
where tenant_id = $1 and livemode = any($2::boolean[])
