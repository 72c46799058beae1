-- For all tenants: replace what guardrails know, each row only by one that follows from it.
-- $1 changes bigint[], $2 routes text[], $3 metrics text[], $4 blocks bigint[], $5 legacy bigint[]
-- $6 legacy_bad bigint[], $7 fastpay bigint[], $8 fastpay_bad bigint[], $9 evidence text[], each a number
insert into rollout_guard (
    change_id, route, metric, blocks, legacy, legacy_bad, fastpay, fastpay_bad, evidence
)
select
    one.change_id, one.route, one.metric, one.blocks, one.legacy, one.legacy_bad, one.fastpay, one.fastpay_bad,
    one.evidence::double precision
from unnest(
    $1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
    $9::text[]
) as one (change_id, route, metric, blocks, legacy, legacy_bad, fastpay, fastpay_bad, evidence)
-- Instances write at the same time, and lock the rows in this order.
order by one.change_id, one.route, one.metric
on conflict (change_id, route, metric) do update
set
    blocks = excluded.blocks,
    legacy = excluded.legacy,
    legacy_bad = excluded.legacy_bad,
    fastpay = excluded.fastpay,
    fastpay_bad = excluded.fastpay_bad,
    evidence = excluded.evidence
where rollout_guard.blocks = excluded.blocks - 1
returning change_id, route, metric
