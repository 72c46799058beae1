-- The events of commands, each found by the last number of the sequence that its command took.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 sequences bigint[]
-- $4 span integer: how many numbers before the last one are looked at
select distinct on (event.sequence)
    event.sequence, event.event_id, event.type, event.object_id, event.version, event.request_id,
    (extract(epoch from event.created_at) * 1000)::bigint as moment_ms
from unnest($3::bigint[]) as wanted (sequence)
cross join lateral (
    select *
    from event
    where event.tenant_id = $1::uuid and event.livemode = $2::boolean
        and event.sequence > wanted.sequence - $4::integer and event.sequence <= wanted.sequence
    offset 0
) as event
order by event.sequence
