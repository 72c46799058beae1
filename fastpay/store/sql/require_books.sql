-- Locks the books of a batch in the order given and tells by which transaction, or refuses the whole statement where
-- one does not stand as it is expected to. What is compared is what the lock found, not what stood before it.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bigint[]  sequences
-- $4 integer[] fees in hundredths of a percent
-- $5 bigint[]  fixed fees
-- $6 boolean[] whether refunds may overdraw
select require_books(count(*) = cardinality($1::uuid[])) as transaction_id
from unnest($1::uuid[], $2::boolean[], $3::bigint[], $4::integer[], $5::bigint[], $6::boolean[])
    as expected (tenant_id, livemode, sequence, fee_basis_points, fee_fixed, refunds_may_overdraw)
cross join lateral (
    select *
    from book
    where book.tenant_id = expected.tenant_id and book.livemode = expected.livemode
    for update
    offset 0
) as book
where (book.sequence, book.fee_basis_points, book.fee_fixed, book.refunds_may_overdraw)
    = (expected.sequence, expected.fee_basis_points, expected.fee_fixed, expected.refunds_may_overdraw)
