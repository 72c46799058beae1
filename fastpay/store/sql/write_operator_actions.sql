-- Notes what operators did, in the commit that does it.
-- $1 text[] operators
-- $2 text[] actions
-- $3 text[] subjects
-- $4 text[] request identifiers
-- $5 uuid[] tenants
insert into operator_action (operator, action, subject, request_id, tenant_id)
select unnest($1::text[]), unnest($2::text[]), unnest($3::text[]), unnest($4::text[]), unnest($5::uuid[])
