-- The books of these tenants, as they stand.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
select
    book.tenant_id, book.livemode, book.sequence, book.rules
from unnest($1::uuid[], $2::boolean[]) as wanted (tenant_id, livemode)
cross join lateral (
    select *
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode = wanted.livemode
    offset 0
) as book
