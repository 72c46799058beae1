-- What a sign-in is compared with.
-- $1 name text
select operator_id, name, role, password_hash, sealed_secret, sealed_under, last_step, locked_until > now() as is_locked
from operator
where name = $1::text and not disabled and password_hash is not null
