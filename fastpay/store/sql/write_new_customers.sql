-- Customers that were not there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    customers
-- $4 integer[] versions
-- $5 boolean[] deleted
-- $6 text[]    email addresses
insert into customer (tenant_id, livemode, customer_id, version, deleted, email)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::integer[]),
    unnest($5::boolean[]), unnest($6::text[])
