-- What the rows of a settlement come to.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    settlement
select
    count(line) as rows, coalesce(sum(gross), 0)::bigint as gross, coalesce(sum(fee), 0)::bigint as fee,
    coalesce(sum(net), 0)::bigint as net, coalesce(sum(ours), 0)::bigint as ours,
    count(*) filter (
        where status <> 'matched' and not accepted and (status <> 'pending' or line is not null)
    ) as differences
from settlement_row
where tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid
