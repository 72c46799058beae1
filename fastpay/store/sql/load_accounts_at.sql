-- Ledger accounts as of a sequence number, from the last transfers on both sides up to it. The counters of accounts
-- that payments move are 0 here (see load_own_accounts_at). Conditions as in list_entries.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid[]  accounts
-- $4 bigint  sequence
select
    account.account_id, account.code, account.currency, account.normal_side, account.min_balance,
    coalesce(debit.debits_posted, 0) as debits_posted, coalesce(credit.credits_posted, 0) as credits_posted,
    coalesce(debit.debits_pending, 0) as debits_pending, coalesce(credit.credits_pending, 0) as credits_pending
from unnest($3::uuid[]) as wanted (account_id)
cross join lateral (
    select *
    from account
    where account.tenant_id = $1::uuid
        and account.livemode = $2::boolean
        and account.account_id between wanted.account_id and wanted.account_id
    order by account.account_id desc
    limit 1
) as account
left join lateral (
    select tenant_id, livemode, debits_posted, debits_pending
    from ledger_transfer
    where (debit_account_id, sequence) <= (wanted.account_id, $4::bigint)
        and debit_account_id >= wanted.account_id
    order by debit_account_id desc, sequence desc, position desc
    limit 1
) as debit on debit.tenant_id = account.tenant_id and debit.livemode = account.livemode
left join lateral (
    select tenant_id, livemode, credits_posted, credits_pending
    from ledger_transfer
    where (credit_account_id, sequence) <= (wanted.account_id, $4::bigint)
        and credit_account_id >= wanted.account_id
    order by credit_account_id desc, sequence desc, position desc
    limit 1
) as credit on credit.tenant_id = account.tenant_id and credit.livemode = account.livemode
