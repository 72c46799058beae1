-- Each row names one thing that 0006_secrets should have left and did not.

select 'no constraint ' || expected.name || ' on ' || expected.place as fault
from (
    values
        ('tenant', 'tenant_fingerprint_key_length'),
        ('tenant', 'tenant_fingerprint_key_once'),
        ('tenant', 'tenant_sealed_under_known'),
        ('tenant', 'tenant_sealed_under_length'),
        ('api_key', 'api_key_signature_secret_only'),
        ('signing_secret', 'signing_secret_pkey'),
        ('signing_secret', 'signing_secret_key_fkey'),
        ('signing_secret', 'signing_secret_sealed_length'),
        ('signing_secret', 'signing_secret_sealed_under_length')
) as expected (place, name)
where not exists (
    select
    from pg_constraint as found
    where found.conrelid = to_regclass(expected.place)
        and found.conname = expected.name
        and found.convalidated
)
union all
select 'index signing_secret_newest is missing'
where to_regclass('signing_secret_newest') is null
union all
select 'tenant.fingerprint_key may not be null'
from pg_attribute
where attrelid = to_regclass('tenant') and attname = 'fingerprint_key' and attnotnull
union all
select tenant_id || ' has no fingerprint key any more'
from tenant
where fingerprint_key is null
