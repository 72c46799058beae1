-- What an index is there for leads it. While a table is nearly empty, an index that begins with tenant and mode looks as
-- good as the primary key for finding a row by that, whatever stands between; and the plan is kept while the table
-- grows, and goes through all codes, or all accounts, of the tenant for one row.
drop index account_by_code;
create index account_by_code on account (code, tenant_id, livemode, account_id);

drop index ledger_transfer_by_debit_account;
drop index ledger_transfer_by_credit_account;
create index ledger_transfer_by_debit_account
    on ledger_transfer (debit_account_id, tenant_id, livemode, sequence, place);
create index ledger_transfer_by_credit_account
    on ledger_transfer (credit_account_id, tenant_id, livemode, sequence, place);
