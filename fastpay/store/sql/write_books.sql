-- Writes the last sequence number of each tenant. The transaction has locked the books, so the version that the snapshot
-- shows is the newest, and what is found may be written by its place.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bigint[]  sequences
update book
set sequence = changed.sequence
from (
    select unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode, unnest($3::bigint[]) as sequence
) as changed
where book.ctid = (
    select newest.ctid
    from book as newest
    where newest.tenant_id = changed.tenant_id and newest.livemode between changed.livemode and changed.livemode
    order by newest.livemode desc
    limit 1
)
