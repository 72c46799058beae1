-- Processors after a given one whose secrets are sealed under another key than the newest.
-- $1 newest text, $2 tenant_id uuid, $3 livemode boolean, $4 name text, $5 rows_max integer
select tenant_id, livemode, name, processor_id, sealed, sealed_under
from processor
where sealed_under <> $1 and (tenant_id, livemode, name) > ($2, $3, $4)
order by tenant_id, livemode, name
limit $5
