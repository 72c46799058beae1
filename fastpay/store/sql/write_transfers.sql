-- Inserts transfers of payments.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    transfers
-- $4 bigint[]  sequences
-- $5 text[]    kinds
-- $6 text[]    phases
-- $7 uuid[]    debit accounts
-- $8 uuid[]    credit accounts
-- $9 text[]    currencies
-- $10 bigint[] amounts
-- $11 uuid[]   sources
-- $12 uuid[]   holds
-- $13 timestamptz[] moments
insert into transfer (
    tenant_id, livemode, transfer_id, sequence, kind, phase, debit_account_id, credit_account_id, currency,
    amount, source_id, hold_id, created_at
)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::bigint[]),
    unnest($5::text[]), unnest($6::text[]), unnest($7::uuid[]), unnest($8::uuid[]), unnest($9::text[]),
    unnest($10::bigint[]), unnest($11::uuid[]), unnest($12::uuid[]), unnest($13::timestamptz[])
