-- Locks the books of a batch in the given order. Returns the transaction, or fails if a book is not as expected, if
-- another transaction holds it, or if the time is not between two moments (in milliseconds since 1970). The comparison
-- is with the rows that the lock found. They have to be the versions that the snapshot shows, from which the other
-- parts of the statement write on.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bigint[]  sequences
-- $4 text[]    rules, as the trigger `book_rules` writes them
-- $5 bigint    the first moment
-- $6 bigint    the last moment
select require_decided(
    count(*) = cardinality($1::uuid[]),
    (date_part('epoch', clock_timestamp()) * 1000)::bigint between $5::bigint and $6::bigint
) as transaction_id
from unnest($1::uuid[], $2::boolean[], $3::bigint[], $4::text[])
    as expected (tenant_id, livemode, sequence, rules)
cross join lateral (
    select book.ctid as place
    from book
    where book.tenant_id = expected.tenant_id and book.livemode between expected.livemode and expected.livemode
    order by book.livemode desc
    limit 1
) as newest
cross join lateral (
    select book.ctid as place, book.sequence, book.rules
    from book
    where book.ctid = newest.place
    for update skip locked
    offset 0
) as book
where (book.place, book.sequence, book.rules) = (newest.place, expected.sequence, expected.rules)
