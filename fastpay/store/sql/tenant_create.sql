-- Make a tenant and its two books; no row when the name is taken. The fingerprint key comes in plain or sealed.
-- $1 tenant_id uuid, $2 name text, $3 fingerprint_key bytea, $4 sealed_fingerprint_key bytea, $5 sealed_under text,
-- $6 created_at timestamptz
with new_tenant as (
    insert into tenant (
        tenant_id, name, fingerprint_key, sealed_fingerprint_key, sealed_under, created_at
    )
    values ($1, $2, $3, $4, $5, $6)
    on conflict on constraint tenant_name_unique do nothing
    returning tenant_id
)
insert into book (tenant_id, livemode)
select new_tenant.tenant_id, mode.livemode
from new_tenant
cross join (values (false), (true)) as mode (livemode)
returning tenant_id
