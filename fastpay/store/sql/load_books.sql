-- The books of these tenants, with the time in milliseconds since 1970.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
select
    book.tenant_id, book.livemode, book.sequence, book.rules,
    (date_part('epoch', clock_timestamp()) * 1000)::bigint as moment_ms
from unnest($1::uuid[], $2::boolean[]) as wanted (tenant_id, livemode)
cross join lateral (
    select *
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode between wanted.livemode and wanted.livemode
    order by book.livemode desc
    limit 1
) as book
