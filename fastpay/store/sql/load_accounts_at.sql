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
    select debits_posted, debits_pending
    from ledger_transfer
    where (debit_account_id, tenant_id, livemode, sequence)
            <= (wanted.account_id, $1::uuid, $2::boolean, $4::bigint)
        and (debit_account_id, tenant_id, livemode) >= (wanted.account_id, $1::uuid, $2::boolean)
    order by debit_account_id desc, tenant_id desc, livemode desc, sequence desc, position desc
    limit 1
) as debit on true
left join lateral (
    select credits_posted, credits_pending
    from ledger_transfer
    where (credit_account_id, tenant_id, livemode, sequence)
            <= (wanted.account_id, $1::uuid, $2::boolean, $4::bigint)
        and (credit_account_id, tenant_id, livemode) >= (wanted.account_id, $1::uuid, $2::boolean)
    order by credit_account_id desc, tenant_id desc, livemode desc, sequence desc, position desc
    limit 1
) as credit on true
