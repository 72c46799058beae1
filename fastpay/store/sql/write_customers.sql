-- Customers as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    customers
-- $4 integer[] versions
-- $5 boolean[] deleted
-- $6 text[]    email addresses
-- $7 text[]    what can be searched, as JSON
insert into customer (tenant_id, livemode, customer_id, version, deleted, email, searchable)
select new.tenant_id, new.livemode, new.customer_id, new.version, new.deleted, new.email, new.searchable::jsonb
from unnest($1::uuid[], $2::boolean[], $3::uuid[], $4::integer[], $5::boolean[], $6::text[], $7::text[])
    as new (tenant_id, livemode, customer_id, version, deleted, email, searchable)
on conflict (tenant_id, livemode, customer_id) do update
set version = excluded.version, deleted = excluded.deleted, email = excluded.email,
    searchable = excluded.searchable
