-- Accounts below their bound, or with a counter below zero.
select
    account_id, code, currency, min_balance, debits_posted, credits_posted, debits_pending, credits_pending
from account
where least(debits_posted, credits_posted, debits_pending, credits_pending) < 0
    or case normal_side
        when 'C' then credits_posted - debits_posted - debits_pending
        else debits_posted - credits_posted - credits_pending
    end < min_balance
