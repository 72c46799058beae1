-- Rows that clients and events refer to are never removed, as those of the older tables.
create trigger balance_kept
    before delete or truncate or update of tenant_id, livemode, balance_id on balance
    for each statement execute function refuse_removal();
create trigger payout_kept
    before delete or truncate or update of tenant_id, livemode, payout_id on payout
    for each statement execute function refuse_removal();
create trigger connected_account_kept
    before delete or truncate or update of tenant_id, livemode, connected_account_id on connected_account
    for each statement execute function refuse_removal();
create trigger account_transfer_kept
    before delete or truncate or update of tenant_id, livemode, account_transfer_id on account_transfer
    for each statement execute function refuse_removal();
create trigger transfer_reversal_kept
    before delete or truncate or update of tenant_id, livemode, transfer_reversal_id on transfer_reversal
    for each statement execute function refuse_removal();
