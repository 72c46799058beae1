-- Transfers, once and for ever.
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
-- $13 bigint[] moments in milliseconds since 1970
insert into transfer (
    tenant_id, livemode, transfer_id, sequence, kind, phase, debit_account_id, credit_account_id, currency, amount,
    source_id, hold_id, created_at
)
select
    new.tenant_id, new.livemode, new.transfer_id, new.sequence, new.kind, new.phase, new.debit_account_id,
    new.credit_account_id, new.currency, new.amount, new.source_id, new.hold_id,
    timestamptz 'epoch' + new.moment_ms * interval '1 millisecond'
from unnest(
    $1::uuid[], $2::boolean[], $3::uuid[], $4::bigint[], $5::text[], $6::text[], $7::uuid[], $8::uuid[], $9::text[],
    $10::bigint[], $11::uuid[], $12::uuid[], $13::bigint[]
) as new (
    tenant_id, livemode, transfer_id, sequence, kind, phase, debit_account_id, credit_account_id, currency, amount,
    source_id, hold_id, moment_ms
)
