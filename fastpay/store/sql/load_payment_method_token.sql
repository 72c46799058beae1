-- The token of a payment method.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 payment_method_id uuid
select processor, sealed, sealed_under
from payment_method_token
where tenant_id = $1::uuid and livemode = $2::boolean and payment_method_id = $3::uuid
