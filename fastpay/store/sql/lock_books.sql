-- Locks the books of a batch in the order given, and tells by which transaction.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
select
    book.tenant_id, book.livemode, book.sequence, book.rules,
    pg_current_xact_id()::text as transaction_id
from unnest($1::uuid[], $2::boolean[]) as wanted (tenant_id, livemode)
cross join lateral (
    select *
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode = wanted.livemode
    for update
    offset 0
) as book
