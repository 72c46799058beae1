-- Find whose API key this is, with its signing secrets, oldest first; whether it and they are still good is for
-- the caller, who has the clock. The fingerprint key is there in plain or sealed.
-- $1 key_hash bytea
select
    api_key.tenant_id,
    api_key.livemode,
    api_key.key_id,
    api_key.kind,
    api_key.expires_at,
    api_key.revoked_at,
    api_key.signature_required,
    tenant.fingerprint_key,
    tenant.sealed_fingerprint_key,
    tenant.sealed_under,
    secret.sealed,
    secret.sealed_under,
    secret.expires_at
from api_key
join tenant on tenant.tenant_id = api_key.tenant_id
cross join lateral (
    select
        array_agg(found.sealed order by found.created_at, found.secret_id) as sealed,
        array_agg(found.sealed_under order by found.created_at, found.secret_id) as sealed_under,
        array_agg(found.expires_at order by found.created_at, found.secret_id) as expires_at
    from signing_secret as found
    where found.tenant_id = api_key.tenant_id
        and found.livemode = api_key.livemode
        and found.key_id = api_key.key_id
) as secret
where api_key.key_hash = $1
