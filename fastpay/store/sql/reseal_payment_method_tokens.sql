-- Tokens after a given one that are sealed under another key than the newest.
-- $1 newest text, $2 tenant_id uuid, $3 livemode boolean, $4 payment_method_id uuid, $5 rows_max integer
select tenant_id, livemode, payment_method_id, sealed, sealed_under
from payment_method_token
where sealed_under <> $1 and (tenant_id, livemode, payment_method_id) > ($2, $3, $4)
order by tenant_id, livemode, payment_method_id
limit $5
