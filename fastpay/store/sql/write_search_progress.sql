-- Writes the end of a tenant's search index.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 bigint  sequence
update search_progress
set sequence = $3::bigint
where tenant_id = $1::uuid and livemode = $2::boolean
