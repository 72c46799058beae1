-- The object that an event is about, and whose it is. The random bits of an event's identifier are not all shown: so
-- what is known of them is a range.
-- $1 sequence bigint: of the event, as its identifier says
-- $2 least uuid
-- $3 greatest uuid
select book.tenant_id, book.livemode, found.event_id, found.object_id
from book
cross join lateral (
    select event_id, object_id
    from event
    where event.tenant_id = book.tenant_id
        and event.livemode = book.livemode
        and event.sequence = $1::bigint
        and event.event_id between $2::uuid and $3::uuid
    limit 1
) as found
