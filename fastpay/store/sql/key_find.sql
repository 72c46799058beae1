-- Find whose API key this is; whether it is still good is for the caller, who has the clock.
-- $1 key_hash bytea
select
    api_key.tenant_id,
    api_key.livemode,
    api_key.kind,
    tenant.fingerprint_key,
    api_key.expires_at,
    api_key.revoked_at
from api_key
join tenant on tenant.tenant_id = api_key.tenant_id
where api_key.key_hash = $1
