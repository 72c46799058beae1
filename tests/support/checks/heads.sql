-- Objects whose row in the table of their kind is missing, or is not that of the latest version; and the reverse.
with head (kind, tenant_id, livemode, object_id, version) as (
    select 1, tenant_id, livemode, customer_id, version from customer
    union all
    select 2, tenant_id, livemode, payment_method_id, version from payment_method
    union all
    select 3, tenant_id, livemode, payment_intent_id, version from payment_intent
    union all
    select 4, tenant_id, livemode, charge_id, version from charge
    union all
    select 5, tenant_id, livemode, refund_id, version from refund
),
latest as (
    select kind, tenant_id, livemode, object_id, max(version) as version
    from object_version
    where kind between 1 and 5
    group by kind, tenant_id, livemode, object_id
)
select object_id, kind, head.version as stands_at, latest.version as written_to
from head
full join latest using (kind, tenant_id, livemode, object_id)
where head.version is distinct from latest.version
