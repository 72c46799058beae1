-- A page of the attempts to deliver to a webhook endpoint, newest first.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    endpoint
-- $4 uuid    below
-- $5 uuid    above
-- $6 boolean ascending
-- $7 integer rows at most
-- $8 boolean delivered: null for all
-- $9 uuid    event: null for all
-- $10 bigint sequence: null for all
select
    attempt_id, event_id, event_type, sequence, number, status, failure, latency_ms, excerpt, retry_after_s,
    extract(epoch from next_attempt_at)::bigint as next_attempt_s
from (
    (
        select *
        from webhook_attempt
        where not $6::boolean
            and tenant_id = $1::uuid and livemode = $2::boolean and webhook_endpoint_id = $3::uuid
            and attempt_id < $4::uuid and attempt_id > $5::uuid
            and ($8::boolean is null or coalesce(status between 200 and 299, false) = $8::boolean)
            and ($9::uuid is null or event_id = $9::uuid)
            and ($10::bigint is null or sequence = $10::bigint)
        order by attempt_id desc
        limit $7::integer
    )
    union all
    (
        select *
        from webhook_attempt
        where $6::boolean
            and tenant_id = $1::uuid and livemode = $2::boolean and webhook_endpoint_id = $3::uuid
            and attempt_id < $4::uuid and attempt_id > $5::uuid
            and ($8::boolean is null or coalesce(status between 200 and 299, false) = $8::boolean)
            and ($9::uuid is null or event_id = $9::uuid)
            and ($10::bigint is null or sequence = $10::bigint)
        order by attempt_id
        limit $7::integer
    )
) as page
order by attempt_id desc
