-- Tenants whose search index is behind, the furthest behind first.
-- $1 integer tenants at most
select book.tenant_id, book.livemode, book.sequence, book.sequence - coalesce(progress.sequence, 0) as behind
from book
left join search_progress as progress
    on progress.tenant_id = book.tenant_id and progress.livemode = book.livemode
where book.sequence > coalesce(progress.sequence, 0)
order by behind desc
limit $1::integer
