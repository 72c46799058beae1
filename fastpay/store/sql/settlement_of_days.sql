-- The attempts at a processor in a range of time that took one of these amounts, the oldest first.
-- $1 uuid     tenant
-- $2 boolean  mode
-- $3 uuid     only from this identifier on
-- $4 uuid     only below this identifier
-- $5 text     processor
-- $6 text     currency
-- $7 bigint[] amounts
-- $8 integer  rows at most
select attempt_id
from attempt
where tenant_id = $1::uuid and livemode = $2::boolean and attempt_id >= $3::uuid and attempt_id < $4::uuid
    and processor = $5::text and currency = $6::text and amount = any($7::bigint[]) and status = 'approved'
order by attempt_id
limit $8::integer
