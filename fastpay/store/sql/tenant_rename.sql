-- Give a tenant another name.
-- $1 tenant_id uuid
-- $2 name text
update tenant set name = $2::text where tenant_id = $1::uuid
