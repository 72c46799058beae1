-- Leaves a tenant without a default processor.
-- $1 tenant_id uuid, $2 livemode boolean
update processor
set is_default = false
where tenant_id = $1 and livemode = $2 and is_default
