-- Tenants whose search index is behind, the furthest behind first.
-- $1 integer tenants at most
select book.tenant_id, book.livemode, book.sequence, book.sequence - coalesce(progress.sequence, 0) as behind
from tenant
cross join (values (false), (true)) as mode (livemode)
cross join lateral (
    select *
    from book
    where book.tenant_id = tenant.tenant_id and book.livemode between mode.livemode and mode.livemode
    order by book.livemode desc
    limit 1
) as book
left join search_progress as progress
    on progress.tenant_id = book.tenant_id and progress.livemode = book.livemode
where book.sequence > coalesce(progress.sequence, 0)
order by behind desc
limit $1::integer
