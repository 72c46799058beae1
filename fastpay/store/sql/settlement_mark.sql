-- Marks a row as accepted, or not, and returns it. What was matched again since is not there.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    settlement
-- $4 integer position
-- $5 boolean accepted
update settlement_row
set accepted = $5::boolean
where tenant_id = $1::uuid and livemode = $2::boolean and settlement_id = $3::uuid and position = $4::integer
    and status <> 'matched' and (status <> 'pending' or line is not null)
returning status, gross - ours as amount, revision
