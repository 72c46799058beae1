-- Transfers between accounts of clients, once and for ever.
-- $1 uuid[]     tenants
-- $2 boolean[]  modes
-- $3 bigint[]   sequences
-- $4 smallint[] places at them
-- $5 bigint[]   moments in milliseconds since 1970
-- $6 smallint[] phases
-- $7 uuid[]     debit accounts
-- $8 uuid[]     credit accounts
-- $9 text[]     currencies
-- $10 bigint[]  amounts
-- $11 bigint[]  debits posted after it
-- $12 bigint[]  debits pending after it
-- $13 bigint[]  credits posted after it
-- $14 bigint[]  credits pending after it
-- $15 bigint[]  when holds expire, in seconds since 1970
-- $16 bigint[]  sequences of the holds that these end
-- $17 smallint[] places of the holds that these end
-- $18 json[]    metadata
insert into ledger_transfer (
    tenant_id, livemode, sequence, place, created_at, phase, debit_account_id, credit_account_id, currency, amount,
    debits_posted, debits_pending, credits_posted, credits_pending, expires_at, hold_sequence, hold_place, metadata
)
select
    new.tenant_id, new.livemode, new.sequence, new.place,
    timestamptz 'epoch' + new.moment_ms * interval '1 millisecond', new.phase, new.debit_account_id,
    new.credit_account_id, new.currency, new.amount, new.debits_posted, new.debits_pending, new.credits_posted,
    new.credits_pending, timestamptz 'epoch' + new.expires_s * interval '1 second', new.hold_sequence,
    new.hold_place, new.metadata
from unnest(
    $1::uuid[], $2::boolean[], $3::bigint[], $4::smallint[], $5::bigint[], $6::smallint[], $7::uuid[], $8::uuid[],
    $9::text[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[], $15::bigint[],
    $16::bigint[], $17::smallint[], $18::json[]
) as new (
    tenant_id, livemode, sequence, place, moment_ms, phase, debit_account_id, credit_account_id, currency, amount,
    debits_posted, debits_pending, credits_posted, credits_pending, expires_s, hold_sequence, hold_place, metadata
)
