-- Payouts of all tenants with a step that is due by the database's clock, the longest due first.
-- $1 integer rows at most
select tenant_id, livemode, payout_id
from payout
where due_at <= extract(epoch from now())::bigint
order by due_at, tenant_id, livemode, payout_id
limit $1::integer
