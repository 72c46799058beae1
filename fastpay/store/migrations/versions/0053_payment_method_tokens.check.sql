-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table payment_method_token is missing' as problem
where to_regclass('payment_method_token') is null
union all
select 'constraint ' || name || ' is missing'
from (
    values
        ('payment_method_token_pkey'),
        ('payment_method_token_book_fkey'),
        ('payment_method_token_sealed_length'),
        ('payment_method_token_sealed_under_length')
) as expected (name)
where not exists (select from pg_constraint where conname = name)
