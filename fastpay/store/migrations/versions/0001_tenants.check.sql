-- Each row names one thing that 0001_tenants should have left and did not.

select 'no constraint ' || expected.name || ' on ' || expected.place as fault
from (
    values
        ('tenant', 'tenant_pkey'),
        ('tenant', 'tenant_name_unique'),
        ('tenant', 'tenant_name_length'),
        ('tenant', 'tenant_fingerprint_key_length'),
        ('book', 'book_pkey'),
        ('book', 'book_tenant_fkey'),
        ('book', 'book_sequence_range'),
        ('book', 'book_fee_basis_points_range'),
        ('book', 'book_fee_fixed_range'),
        ('api_key', 'api_key_pkey'),
        ('api_key', 'api_key_book_fkey'),
        ('api_key', 'api_key_hash_unique'),
        ('api_key', 'api_key_kind_known'),
        ('api_key', 'api_key_hash_length'),
        ('api_key', 'api_key_last4_length')
) as expected (place, name)
where not exists (
    select
    from pg_constraint as found
    where found.conrelid = to_regclass(expected.place)
        and found.conname = expected.name
        and found.convalidated
)
union all
select 'column ' || expected.place || '.' || expected.name || ' is not ' || expected.type
from (
    values
        ('tenant', 'tenant_id', 'uuid'),
        ('tenant', 'created_at', 'timestamp with time zone'),
        ('book', 'sequence', 'bigint'),
        ('book', 'fee_fixed', 'bigint'),
        ('api_key', 'key_hash', 'bytea'),
        ('api_key', 'expires_at', 'timestamp with time zone')
) as expected (place, name, type)
where not exists (
    select
    from pg_attribute as found
    where found.attrelid = to_regclass(expected.place)
        and found.attname = expected.name
        and format_type(found.atttypid, found.atttypmod) = expected.type
)
