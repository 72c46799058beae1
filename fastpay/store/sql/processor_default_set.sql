-- Makes a processor the default, if it is enabled.
-- $1 tenant_id uuid, $2 livemode boolean, $3 name text
update processor
set is_default = true
where tenant_id = $1 and livemode = $2 and name = $3 and enabled
