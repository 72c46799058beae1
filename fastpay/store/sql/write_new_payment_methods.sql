-- Payment methods that were not there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    payment methods
-- $4 integer[] versions
-- $5 uuid[]    customers
insert into payment_method (tenant_id, livemode, payment_method_id, version, customer_id)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::integer[]),
    unnest($5::uuid[])
