-- Customers as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    customers
-- $4 integer[] versions
-- $5 boolean[] deleted
-- $6 text[]    email addresses
insert into customer (tenant_id, livemode, customer_id, version, deleted, email)
select * from unnest($1::uuid[], $2::boolean[], $3::uuid[], $4::integer[], $5::boolean[], $6::text[])
on conflict (tenant_id, livemode, customer_id) do update
set version = excluded.version, deleted = excluded.deleted, email = excluded.email
