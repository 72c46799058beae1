-- The API keys of a tenant in one mode, oldest first, with the number of their valid signing secrets.
-- $1 tenant_id uuid, $2 livemode boolean, $3 now timestamptz
select
    api_key.key_id,
    api_key.kind,
    api_key.last4,
    api_key.created_at,
    api_key.expires_at,
    api_key.revoked_at,
    api_key.signature_required,
    (
        select count(*)
        from signing_secret as secret
        where secret.tenant_id = api_key.tenant_id
            and secret.livemode = api_key.livemode
            and secret.key_id = api_key.key_id
            and (secret.expires_at is null or secret.expires_at > $3)
    ) as signing_secrets
from api_key
where api_key.tenant_id = $1 and api_key.livemode = $2
order by api_key.created_at, api_key.key_id
