-- Whether an operator has a password with a second factor.
-- $1 operator_id uuid
select password_hash is not null as has_password
from operator
where operator_id = $1::uuid
