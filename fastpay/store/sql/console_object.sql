-- The versions of one object, oldest first.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 object_id uuid
-- $4 limit integer
select version, sequence, kind, snapshot
from object_version
where tenant_id = $1::uuid and livemode = $2::boolean and object_id = $3::uuid
order by version
limit $4::integer
