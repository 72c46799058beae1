-- Signing secrets after a given one that are sealed under another key than the newest.
-- $1 newest text, $2 tenant_id uuid, $3 livemode boolean, $4 key_id uuid, $5 secret_id uuid, $6 rows_max integer
select tenant_id, livemode, key_id, secret_id, sealed, sealed_under
from signing_secret
where sealed_under <> $1 and (tenant_id, livemode, key_id, secret_id) > ($2, $3, $4, $5)
order by tenant_id, livemode, key_id, secret_id
limit $6
