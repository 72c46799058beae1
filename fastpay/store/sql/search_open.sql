-- Creates the row of a tenant's search index, if there is none.
-- $1 uuid    tenant
-- $2 boolean mode
insert into search_progress (tenant_id, livemode, sequence)
values ($1::uuid, $2::boolean, 0)
on conflict (tenant_id, livemode) do nothing
