-- Books whose events are not numbered from one to the book's sequence without a gap.
select book.tenant_id, book.livemode, book.sequence, count(event.sequence) as events, max(event.sequence) as last
from book
left join event on event.tenant_id = book.tenant_id and event.livemode = book.livemode
group by book.tenant_id, book.livemode, book.sequence
having count(event.sequence) <> book.sequence
    or min(event.sequence) <> 1
    or coalesce(max(event.sequence), 0) <> book.sequence
