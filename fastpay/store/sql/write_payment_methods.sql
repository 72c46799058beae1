-- Payment methods as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    payment methods
-- $4 integer[] versions
-- $5 uuid[]    customers
insert into payment_method (tenant_id, livemode, payment_method_id, version, customer_id)
select * from unnest($1::uuid[], $2::boolean[], $3::uuid[], $4::integer[], $5::uuid[])
on conflict (tenant_id, livemode, payment_method_id) do update
set version = excluded.version, customer_id = excluded.customer_id
