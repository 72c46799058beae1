-- The latest version of each of these webhook endpoints, of all tenants, with the tenant's key that secrets are
-- derived from.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    endpoints
select
    wanted.tenant_id, wanted.livemode, found.version, found.sequence, found.kind, found.snapshot,
    owner.fingerprint_key, owner.sealed_fingerprint_key, owner.sealed_under
from unnest($1::uuid[], $2::boolean[], $3::uuid[]) as wanted (tenant_id, livemode, object_id)
cross join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = wanted.tenant_id
        and object_version.livemode = wanted.livemode
        and object_version.object_id = wanted.object_id
    order by version desc
    limit 1
) as found
cross join lateral (
    select fingerprint_key, sealed_fingerprint_key, sealed_under
    from tenant
    where tenant.tenant_id = wanted.tenant_id
    offset 0
) as owner
