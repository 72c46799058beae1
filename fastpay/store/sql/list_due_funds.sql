-- Books above a cursor, in order, each with what there may be to do about its funds by the database's clock: whether a
-- transfer is old enough to be released, whether something became available that no event has told of, and whether the
-- available balance is to be paid out, which no bank is asked to do in live mode. For all tenants.
-- $1 uuid    only above this tenant,
-- $2 boolean and this mode of it
-- $3 integer books at most
select
    book.tenant_id, book.livemode, coalesce(balance.released_through, '00000000-0000-0000-0000-000000000000'::uuid)
        as released_through,
    funds.currencies,
    next.transfer_id is not null as is_due,
    funds.credited > coalesce(balance.credited, 0) as is_credited,
    funds.is_positive and not book.livemode and case book.payout_interval
        when 'daily' then date_trunc('day', now() at time zone 'UTC')
        when 'weekly' then date_trunc('week', now() at time zone 'UTC')
        when 'monthly' then date_trunc('month', now() at time zone 'UTC')
        else '-infinity'
    end > timestamp 'epoch' + coalesce(balance.paid_out_day, -1) * interval '1 day' as is_payable
from (
    -- Each tenant has both books. Of a book there may be many versions, of a tenant there are few.
    select tenant.tenant_id, mode.livemode
    from tenant
    cross join (values (false), (true)) as mode (livemode)
    where tenant.tenant_id >= $1::uuid and (tenant.tenant_id, mode.livemode) > ($1::uuid, $2::boolean)
    order by tenant.tenant_id, mode.livemode
    limit $3::integer
) as wanted
cross join lateral (
    select *
    from book
    where book.tenant_id = wanted.tenant_id and book.livemode between wanted.livemode and wanted.livemode
    order by book.livemode desc
    limit 1
) as book
left join lateral (
    select released_through, credited, paid_out_day
    from balance
    where balance.tenant_id = book.tenant_id and balance.livemode = book.livemode
    limit 1
) as balance on true
left join lateral (
    select transfer_id
    from transfer
    where transfer.tenant_id = book.tenant_id
        and transfer.livemode = book.livemode
        and transfer.transfer_id > coalesce(balance.released_through, '00000000-0000-0000-0000-000000000000'::uuid)
        -- Identifiers begin with their time in milliseconds.
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
    limit 1
) as next on true
cross join lateral (
    select
        coalesce(string_agg(currency, ','), '') as currencies,
        least(coalesce(sum(credits_posted), 0), 9223372036854775807) as credited,
        coalesce(bool_or(credits_posted - debits_posted - debits_pending > 0), false) as is_positive
    from account
    where account.tenant_id = book.tenant_id and account.livemode = book.livemode and account.code = 'available'
) as funds
order by book.tenant_id, book.livemode
