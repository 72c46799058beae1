-- The next transfers of a tenant and mode above the watermark that are old enough by the database's clock, oldest first.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 integer rows at most
select
    book.released_through, transfer.transfer_id, transfer.source_id, transfer.currency,
    transfer.kind = 'capture' and transfer.phase in ('posted', 'post') as is_capture
from (
    select book.funds_delay_days, coalesce(balance.released_through, '00000000-0000-0000-0000-000000000000'::uuid)
        as released_through
    from book
    left join balance on balance.tenant_id = book.tenant_id and balance.livemode = book.livemode
    where book.tenant_id = $1::uuid and book.livemode between $2::boolean and $2::boolean
    order by book.livemode desc
    limit 1
) as book
cross join lateral (
    select transfer_id, kind, phase, source_id, currency
    from transfer
    where transfer.tenant_id = $1::uuid
        and transfer.livemode = $2::boolean
        and transfer.transfer_id > book.released_through
        and transfer.transfer_id < rpad(
            lpad(
                to_hex(
                    (date_part('epoch', now()) * 1000)::bigint - greatest(book.funds_delay_days, 1)::bigint * 86400000
                ),
                12, '0'
            ),
            32, '0'
        )::uuid
    order by transfer_id
    limit $3::integer
) as transfer
order by transfer.transfer_id
