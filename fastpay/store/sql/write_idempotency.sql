-- Inserts first answers.
-- $1 bytea[]   digests
-- $2 uuid[]    tenants
-- $3 boolean[] modes
-- $4 text[]    idempotency keys
-- $5 bytea[]   fingerprints
-- $6 bytea[]   answers
-- $7 text[]    request identifiers
-- $8 timestamptz[] moments
insert into idempotency (
    digest, tenant_id, livemode, idempotency_key, fingerprint, answer, request_id, created_at
)
select unnest($1::bytea[]), unnest($2::uuid[]), unnest($3::boolean[]), unnest($4::text[]),
    unnest($5::bytea[]), unnest($6::bytea[]), unnest($7::text[]), unnest($8::timestamptz[])
