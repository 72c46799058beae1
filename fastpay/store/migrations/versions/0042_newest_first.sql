-- Every batch writes a new version of its book and of the accounts that it moves. While one old snapshot is open nobody
-- may remove the versions before, and a look at the row by its key goes through all that the index has, the oldest first.
-- Of equal keys the entries are in the order of their places in the table, and new versions come behind old ones. So a
-- look from the end finds the newest first, and stops there. The planner drops the order of a column that is equal to one
-- value: so the column is between that value and itself.
--
-- Nothing else in these functions changes.
do $body$
declare
    changed record;
begin
    for changed in
        select
            replace(
                replace(
                    pg_get_functiondef(found.oid),
                    'book.livemode = scope.livemode offset 0',
                    'book.livemode between scope.livemode and scope.livemode
            order by book.livemode desc offset 0'
                ),
                'and account.account_id = ' || side.name || '.account_id',
                'and account.account_id between ' || side.name || '.account_id and ' || side.name || '.account_id
                order by account.account_id desc
                limit 1'
            ) as after
        from pg_proc as found
        cross join lateral (
            select case found.proname when 'check_transfers' then 'moved' else 'side' end as name
        ) as side
        where found.pronamespace = current_schema()::regnamespace
            and found.proname in (
                'check_book', 'check_object_versions', 'check_events', 'check_idempotency', 'check_payment_methods',
                'check_payment_intents', 'check_transfers', 'check_ledger_transfers'
            )
    loop
        execute changed.after;
    end loop;
end
$body$;
