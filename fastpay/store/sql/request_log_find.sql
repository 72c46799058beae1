-- What was asked and answered in a request of a tenant.
-- $1 tenant_id uuid, $2 livemode boolean, $3 request_id text
select
    tenant_id, livemode, request_id, (extract(epoch from received_at) * 1000)::bigint as moment_ms, duration_us,
    method, path, status, key_id, idempotency_key, original_request_id, parameters, object_id, sequence, error_type,
    error_code, decline_code, error_param, error_message, user_agent
from request_log
where tenant_id = $1::uuid and livemode = $2::boolean and request_id = $3::text
limit 1
