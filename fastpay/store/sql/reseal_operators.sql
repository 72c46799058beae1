-- Operators after a given one whose second factor is sealed under another key than the newest.
-- $1 newest text, $2 after uuid, $3 rows_max integer
select operator_id, sealed_secret, sealed_under
from operator
where sealed_under <> $1 and operator_id > $2
order by operator_id
limit $3
