-- The books of these tenants, as they stand.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
select
    book.tenant_id, book.livemode, book.sequence, book.fee_basis_points, book.fee_fixed, book.refunds_may_overdraw
from unnest($1::uuid[], $2::boolean[]) as wanted (tenant_id, livemode)
cross join lateral (
    select *
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode = wanted.livemode
    offset 0
) as book
