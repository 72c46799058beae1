-- Note what an operator did with a form, in the transaction that does it.
-- $1 operator text
-- $2 action text
-- $3 subject text
-- $4 detail text: what was changed
-- $5 form_key text
-- $6 tenant_id uuid
insert into operator_action (operator, action, subject, detail, form_key, tenant_id)
values ($1::text, $2::text, $3::text, $4::text, $5::text, $6::uuid)
