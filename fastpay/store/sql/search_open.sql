-- Begins a tenant's search index, where there is none yet.
-- $1 uuid    tenant
-- $2 boolean mode
insert into search_progress (tenant_id, livemode, sequence)
values ($1::uuid, $2::boolean, 0)
on conflict (tenant_id, livemode) do nothing
