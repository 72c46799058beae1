-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no constraint ' || expected.name || ' on book' as fault
from (
    values ('book_funds_delay_days_range'), ('book_amount_minimums_shape')
) as expected (name)
where not exists (
    select
    from pg_constraint as found
    where found.conrelid = to_regclass('book') and found.conname = expected.name and found.convalidated
)
union all
select 'book.rules is not generated'
where not exists (
    select
    from pg_attribute as found
    where found.attrelid = to_regclass('book') and found.attname = 'rules' and found.attgenerated = 's'
)
union all
select 'a new book has fees'
from pg_attrdef as found
where found.adrelid = to_regclass('book')
    and found.adnum in (
        select attnum
        from pg_attribute
        where attrelid = to_regclass('book') and attname in ('fee_basis_points', 'fee_fixed')
    )
    and pg_get_expr(found.adbin, found.adrelid) not in ('0', '''0''::bigint')
