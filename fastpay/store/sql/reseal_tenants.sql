-- Tenants after a given one whose fingerprint key is in plain text or sealed under another key than the newest.
-- $1 newest text, $2 after uuid, $3 rows_max integer
select tenant_id, fingerprint_key, sealed_fingerprint_key, sealed_under
from tenant
where sealed_under is distinct from $1 and tenant_id > $2
order by tenant_id
limit $3
