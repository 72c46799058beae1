-- Count a failed sign-in. From $2 failures on each one locks twice as long as the one before.
-- $1 operator_id uuid
-- $2 free integer: failures that do not lock
-- $3 lock_ms integer: the first lock
-- $4 lock_max_ms integer
with failed as (
    update operator
    set
        failures = failures + 1,
        locked_until = case
            when failures + 1 < $2::integer then locked_until
            else now() + make_interval(
                secs => least($3::integer * 2.0 ^ least(failures + 1 - $2::integer, 20), $4::integer) / 1000.0
            )
        end
    where operator_id = $1::uuid
    returning name
)
insert into operator_action (operator, action, subject)
select name, 'operator.sign_in_failed', name
from failed
