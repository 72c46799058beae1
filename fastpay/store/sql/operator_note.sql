-- Note what an operator did, where nothing else is written.
-- $1 text operator
-- $2 text action
-- $3 text subject
insert into operator_action (operator, action, subject) values ($1::text, $2::text, $3::text)
