-- For all tenants: how many idempotency keys that were bound a moment ago are the legacy API's and have a first
-- answer here.
-- $1 seconds integer
select count(*) as count
from rollout_key
where side = 'legacy' and bound_at > now() - $1::integer * interval '1 second' and exists (
    select
    from idempotency
    where idempotency.digest = rollout_key.digest
        and idempotency.tenant_id = rollout_key.tenant_id
        and idempotency.livemode = rollout_key.livemode
)
