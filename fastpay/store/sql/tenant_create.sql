-- Make a tenant and its two books; no row when the name is taken.
-- $1 tenant_id uuid, $2 name text, $3 fingerprint_key bytea, $4 created_at timestamptz
with new_tenant as (
    insert into tenant (tenant_id, name, fingerprint_key, created_at)
    values ($1, $2, $3, $4)
    on conflict on constraint tenant_name_unique do nothing
    returning tenant_id
)
insert into book (tenant_id, livemode)
select new_tenant.tenant_id, mode.livemode
from new_tenant
cross join (values (false), (true)) as mode (livemode)
returning tenant_id
