-- The attempts at a processor that it calls by these identifiers, the oldest first.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 text    processor
-- $4 text[]  their identifiers
select processor_id, attempt_id
from attempt
where tenant_id = $1::uuid and livemode = $2::boolean and processor = $3::text and processor_id = any($4::text[])
order by attempt_id
