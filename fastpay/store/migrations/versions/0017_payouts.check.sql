-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('balance'), ('payout')) as expected (name)
where to_regclass(name) is null
union all
select 'index ' || name || ' is missing'
from (values ('payout_by_status'), ('payout_by_destination'), ('payout_due')) as expected (name)
where to_regclass(name) is null
union all
select 'no constraint ' || expected.name || ' on book'
from (values ('book_payout_interval_known')) as expected (name)
where not exists (
    select
    from pg_constraint as found
    where found.conrelid = to_regclass('book') and found.conname = expected.name and found.convalidated
)
union all
select 'book.rules does not have all rules'
where not exists (
    select
    from pg_attribute as found
    join pg_attrdef as origin on origin.adrelid = found.attrelid and origin.adnum = found.attnum
    where found.attrelid = to_regclass('book') and found.attname = 'rules' and found.attgenerated = 's'
        and pg_get_expr(origin.adbin, origin.adrelid) like '%payout_interval%'
)
