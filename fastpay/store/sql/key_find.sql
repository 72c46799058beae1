-- API keys with their signing secrets, oldest first. The caller, who has the clock, decides what is still valid. A
-- fingerprint key is in plain text or sealed.
-- $1 key_hashes bytea[]
select
    api_key.key_hash,
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
    secret.listed
from api_key
cross join lateral (
    select fingerprint_key, sealed_fingerprint_key, sealed_under
    from tenant
    where tenant.tenant_id = api_key.tenant_id
    offset 0
) as tenant
cross join lateral (
    -- As JSON, since our encoding of arrays has no decoder.
    select
        jsonb_agg(
            jsonb_build_array(
                encode(found.sealed, 'hex'), found.sealed_under,
                (extract(epoch from found.expires_at) * 1000000)::bigint
            )
            order by found.created_at, found.secret_id
        )::text as listed
    from signing_secret as found
    where found.tenant_id = api_key.tenant_id
        and found.livemode = api_key.livemode
        and found.key_id = api_key.key_id
) as secret
where api_key.key_hash = any($1::bytea[])
