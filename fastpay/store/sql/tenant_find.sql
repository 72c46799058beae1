-- Finds a tenant by its name.
-- $1 name text
select tenant_id from tenant where name = $1
