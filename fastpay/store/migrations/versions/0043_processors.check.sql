-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no constraint ' || expected.name || ' on ' || expected.place as fault
from (
    values
        ('processor', 'processor_pkey'),
        ('processor', 'processor_id_unique'),
        ('processor', 'processor_book_fkey'),
        ('processor', 'processor_name_form'),
        ('processor', 'processor_kind_known'),
        ('processor', 'processor_url_form'),
        ('processor', 'processor_sealed_length'),
        ('processor', 'processor_sealed_under_length'),
        ('processor', 'processor_default_enabled'),
        ('processor_routing', 'processor_routing_pkey'),
        ('processor_routing', 'processor_routing_book_fkey'),
        ('processor_routing', 'processor_routing_rules_shape')
) as expected (place, name)
where not exists (
    select
    from pg_constraint as found
    where found.conrelid = to_regclass(expected.place)
        and found.conname = expected.name
        and found.convalidated
)
union all
select 'index ' || expected.name || ' is missing'
from (values ('processor_default_once'), ('processor_by_name')) as expected (name)
where to_regclass(expected.name) is null
union all
select 'processor is not kept'
where not exists (
    select from pg_trigger where tgrelid = to_regclass('processor') and tgname = 'processor_kept' and tgenabled = 'O'
)
