-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('connected_account'), ('account_transfer'), ('transfer_reversal')) as expected (name)
where to_regclass(name) is null
union all
select 'index ' || name || ' is missing'
from (
    values ('account_transfer_by_destination'), ('account_transfer_by_group'), ('transfer_reversal_by_transfer')
) as expected (name)
where to_regclass(name) is null
