-- Enables or disables a processor. One that is disabled is not the default any more.
-- $1 tenant_id uuid, $2 livemode boolean, $3 name text, $4 enabled boolean
update processor
set enabled = $4, is_default = is_default and $4
where tenant_id = $1 and livemode = $2 and name = $3
