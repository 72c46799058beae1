-- Customers that were there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    customers
-- $4 integer[] versions
-- $5 boolean[] deleted
-- $6 text[]    email addresses
update customer
set version = changed.version, deleted = changed.deleted, email = changed.email
from (
    select unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode,
        unnest($3::uuid[]) as customer_id, unnest($4::integer[]) as version, unnest($5::boolean[]) as deleted,
        unnest($6::text[]) as email
) as changed
where customer.tenant_id = changed.tenant_id
    and customer.livemode = changed.livemode
    and customer.customer_id = changed.customer_id
