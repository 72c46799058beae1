-- The operator of an invitation that is still good.
-- $1 digest bytea
select operator.operator_id, operator.name, operator.role
from operator_invitation
join operator on operator.operator_id = operator_invitation.operator_id
where operator_invitation.digest = $1::bytea
    and operator_invitation.used_at is null
    and operator_invitation.expires_at > now()
    and not operator.disabled
