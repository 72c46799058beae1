-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table dispute is missing' as problem
where to_regclass('dispute') is null
union all
select 'index ' || name || ' is missing'
from (
    values ('refund_by_change'), ('dispute_by_charge'), ('dispute_by_payment_intent'), ('dispute_by_change')
) as expected (name)
where to_regclass(name) is null
union all
select 'trigger ' || name || ' is missing'
from (
    values ('dispute_charge_fkey'), ('dispute_payment_intent_fkey'), ('dispute_kept')
) as expected (name)
where not exists (select from pg_trigger where tgname = name and tgenabled = 'O')
union all
select 'book.rules is not generated from the fee of disputes'
where not exists (
    select
    from pg_attrdef as found
    join pg_attribute as generated
        on generated.attrelid = found.adrelid and generated.attnum = found.adnum and generated.attgenerated = 's'
    where found.adrelid = to_regclass('book')
        and generated.attname = 'rules'
        and pg_get_expr(found.adbin, found.adrelid) like '%dispute_fee%'
)
