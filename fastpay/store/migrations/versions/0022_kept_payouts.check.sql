-- One row for each thing that is wrong; none when the migration did all of its work.
select 'trigger ' || name || ' is missing' as problem
from (
    values ('balance_kept'), ('payout_kept'), ('connected_account_kept'), ('account_transfer_kept'),
        ('transfer_reversal_kept')
) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
