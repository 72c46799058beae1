-- Whose a request of the log is.
-- $1 request_id text
select tenant_id, livemode
from request_log
where request_id = $1::text
limit 1
