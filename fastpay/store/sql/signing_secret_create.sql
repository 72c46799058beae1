-- Stores a new sealed signing secret of an API key.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 secret_id uuid, $5 sealed bytea, $6 sealed_under text,
-- $7 created_at timestamptz, $8 expires_at timestamptz
insert into signing_secret (
    tenant_id, livemode, key_id, secret_id, sealed, sealed_under, created_at, expires_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8)
