-- Stores the digest of a new API key.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 kind text, $5 key_hash bytea, $6 last4 text,
-- $7 signature_required boolean, $8 created_at timestamptz
insert into api_key (tenant_id, livemode, key_id, kind, key_hash, last4, signature_required, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8)
