-- Inserts transfers between accounts of clients. Commands, accounts and currencies that transfers share are given
-- once, and referred to by index from 0.
-- $1 uuid[]      tenants of the commands
-- $2 boolean[]   modes of the commands
-- $3 bigint[]    sequences of the commands
-- $4 timestamptz[] moments of the commands
-- $5 uuid[]      accounts
-- $6 text[]      currencies
-- $7 integer[]   commands
-- $8 smallint[]  indexes at the command's sequence number
-- $9 smallint[]  phases
-- $10 integer[]  debit accounts
-- $11 integer[]  credit accounts
-- $12 integer[]  currencies
-- $13 bigint[]   amounts
-- $14 bigint[]   debits posted after it
-- $15 bigint[]   debits pending after it
-- $16 bigint[]   credits posted after it
-- $17 bigint[]   credits pending after it
-- $18 bigint[]   when holds expire, in seconds since 1970
-- $19 bigint[]   sequences of the holds that these end
-- $20 smallint[] indexes of the holds that these end
-- $21 text[]     metadata, in JSON
insert into ledger_transfer (
    tenant_id, livemode, sequence, created_at, position, phase, debit_account_id, credit_account_id, currency, amount,
    debits_posted, debits_pending, credits_posted, credits_pending, expires_at, hold_sequence, hold_position, metadata
)
select
    ($1::uuid[])[new.command + 1], ($2::boolean[])[new.command + 1], ($3::bigint[])[new.command + 1],
    ($4::timestamptz[])[new.command + 1], new.position, new.phase,
    ($5::uuid[])[new.debit + 1], ($5::uuid[])[new.credit + 1], ($6::text[])[new.currency + 1], new.amount,
    new.debits_posted, new.debits_pending, new.credits_posted, new.credits_pending,
    timestamptz 'epoch' + new.expires_s * interval '1 second', new.hold_sequence, new.hold_position,
    new.metadata::json
from (
    select
        unnest($7::integer[]) as command, unnest($8::smallint[]) as position, unnest($9::smallint[]) as phase,
        unnest($10::integer[]) as debit, unnest($11::integer[]) as credit, unnest($12::integer[]) as currency,
        unnest($13::bigint[]) as amount, unnest($14::bigint[]) as debits_posted,
        unnest($15::bigint[]) as debits_pending, unnest($16::bigint[]) as credits_posted,
        unnest($17::bigint[]) as credits_pending, unnest($18::bigint[]) as expires_s,
        unnest($19::bigint[]) as hold_sequence, unnest($20::smallint[]) as hold_position,
        unnest($21::text[]) as metadata
) as new
