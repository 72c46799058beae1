-- Sets whether requests with an API key must be signed.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid, $4 signature_required boolean
update api_key
set signature_required = $4
where tenant_id = $1 and livemode = $2 and key_id = $3
