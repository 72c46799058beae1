-- Writes the counters of existing accounts: one row an account, however many transfers moved it. An update costs half
-- the WAL and half the work of an insert with on conflict, and the check of the transfers' references makes sure that the
-- accounts exist. They change only under the lock of their book, so the version that the snapshot shows is the newest,
-- and what is found may be written by its place.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    accounts
-- $4 bigint[]  debits posted
-- $5 bigint[]  credits posted
-- $6 bigint[]  debits pending
-- $7 bigint[]  credits pending
update account
set debits_posted = moved.debits_posted, credits_posted = moved.credits_posted,
    debits_pending = moved.debits_pending, credits_pending = moved.credits_pending
from (
    select
        unnest($1::uuid[]) as tenant_id, unnest($2::boolean[]) as livemode, unnest($3::uuid[]) as account_id,
        unnest($4::bigint[]) as debits_posted, unnest($5::bigint[]) as credits_posted,
        unnest($6::bigint[]) as debits_pending, unnest($7::bigint[]) as credits_pending
) as moved
where account.ctid = (
    select newest.ctid
    from account as newest
    where newest.tenant_id = moved.tenant_id
        and newest.livemode = moved.livemode
        and newest.account_id between moved.account_id and moved.account_id
    order by newest.account_id desc
    limit 1
)
