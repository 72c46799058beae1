-- Write what was asked and answered. A batch that is sent again writes nothing twice.
-- $1 tenants uuid[], $2 modes boolean[], $3 requests text[], $4 moments_ms bigint[], $5 durations_us integer[]
-- $6 methods text[], $7 paths text[], $8 statuses smallint[], $9 keys uuid[], $10 idempotency_keys text[]
-- $11 original_requests text[], $12 parameters text[], $13 objects text[], $14 sequences bigint[]
-- $15 error_types text[], $16 error_codes text[], $17 decline_codes text[], $18 error_params text[]
-- $19 error_messages text[], $20 user_agents text[]
insert into request_log (
    tenant_id, livemode, request_id, received_at, duration_us, method, path, status, key_id, idempotency_key,
    original_request_id, parameters, object_id, sequence, error_type, error_code, decline_code, error_param,
    error_message, user_agent
)
select
    one.tenant_id, one.livemode, one.request_id, to_timestamp(one.moment_ms / 1000.0), one.duration_us, one.method,
    one.path, one.status, one.key_id, one.idempotency_key, one.original_request_id, one.parameters, one.object_id,
    one.sequence, one.error_type, one.error_code, one.decline_code, one.error_param, one.error_message,
    one.user_agent
from unnest(
    $1::uuid[], $2::boolean[], $3::text[], $4::bigint[], $5::integer[], $6::text[], $7::text[], $8::smallint[],
    $9::uuid[], $10::text[], $11::text[], $12::text[], $13::text[], $14::bigint[], $15::text[], $16::text[],
    $17::text[], $18::text[], $19::text[], $20::text[]
) as one (
    tenant_id, livemode, request_id, moment_ms, duration_us, method, path, status, key_id, idempotency_key,
    original_request_id, parameters, object_id, sequence, error_type, error_code, decline_code, error_param,
    error_message, user_agent
)
on conflict (tenant_id, livemode, request_id, received_at) do nothing
