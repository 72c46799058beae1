-- Deletes all signing secrets of an API key.
-- $1 tenant_id uuid, $2 livemode boolean, $3 key_id uuid
delete from signing_secret
where tenant_id = $1 and livemode = $2 and key_id = $3
