-- For all tenants: what guardrails know of routes since these changes.
-- $1 changes bigint[]
select change_id, route, metric, blocks, legacy, legacy_bad, fastpay, fastpay_bad, evidence
from rollout_guard
where change_id = any ($1::bigint[])
order by route, metric
