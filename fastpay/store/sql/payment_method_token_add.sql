-- Keeps the token of a payment method, unless it has one.
-- $1 tenant_id uuid, $2 livemode boolean, $3 payment_method_id uuid, $4 processor text, $5 sealed bytea
-- $6 sealed_under text
insert into payment_method_token (tenant_id, livemode, payment_method_id, processor, sealed, sealed_under)
values ($1, $2, $3, $4, $5, $6)
on conflict on constraint payment_method_token_pkey do nothing
