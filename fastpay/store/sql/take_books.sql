-- Locks those books of a batch that no other transaction holds, in the given order. Returns a row for each tenant that
-- has a book, with the transaction and the time in milliseconds since 1970.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
select
    wanted.tenant_id, wanted.livemode, book.sequence, book.rules,
    book.sequence is null as is_busy,
    pg_current_xact_id()::text as transaction_id,
    (date_part('epoch', clock_timestamp()) * 1000)::bigint as moment_ms
from unnest($1::uuid[], $2::boolean[]) as wanted (tenant_id, livemode)
left join lateral (
    select *
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode between wanted.livemode and wanted.livemode
    order by book.livemode desc
    limit 1
    for update skip locked
) as book on true
where book.sequence is not null or exists (
    select
    from book as held
    where held.tenant_id = wanted.tenant_id and held.livemode between wanted.livemode and wanted.livemode
    order by held.livemode desc
    offset 0
)
