-- Payment methods that were there before, as of their latest version.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    payment methods
-- $4 integer[] versions
-- $5 uuid[]    customers
update payment_method
set version = changed.version, customer_id = changed.customer_id
from (
    select unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode,
        unnest($3::uuid[]) as payment_method_id, unnest($4::integer[]) as version,
        unnest($5::uuid[]) as customer_id
) as changed
where payment_method.tenant_id = changed.tenant_id
    and payment_method.livemode = changed.livemode
    and payment_method.payment_method_id = changed.payment_method_id
