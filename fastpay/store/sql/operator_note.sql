-- Note what an operator did, where nothing else is written.
-- $1 text operator
-- $2 text action
-- $3 text subject
-- $4 uuid tenant: null if it is about none
-- $5 text detail: null if there is no more to say
insert into operator_action (operator, action, subject, tenant_id, detail)
values ($1::text, $2::text, $3::text, $4::uuid, $5::text)
