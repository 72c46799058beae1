-- First answers.
-- $1 bytea[]   digests
-- $2 uuid[]    tenants
-- $3 boolean[] modes
-- $4 text[]    idempotency keys
-- $5 bytea[]   fingerprints
-- $6 bytea[]   answers
-- $7 text[]    request identifiers
-- $8 bigint[]  moments in milliseconds since 1970
insert into idempotency (
    digest, tenant_id, livemode, idempotency_key, fingerprint, answer, request_id, created_at
)
select
    new.digest, new.tenant_id, new.livemode, new.idempotency_key, new.fingerprint, new.answer, new.request_id,
    timestamptz 'epoch' + new.moment_ms * interval '1 millisecond'
from unnest(
    $1::bytea[], $2::uuid[], $3::boolean[], $4::text[], $5::bytea[], $6::bytea[], $7::text[], $8::bigint[]
) as new (digest, tenant_id, livemode, idempotency_key, fingerprint, answer, request_id, moment_ms)
