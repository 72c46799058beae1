-- Note that something is imported for a tenant and mode.
-- $1 uuid    tenant
-- $2 boolean mode
insert into import_scope (tenant_id, livemode)
values ($1::uuid, $2::boolean)
on conflict do nothing
