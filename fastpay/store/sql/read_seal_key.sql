-- For all tenants: the secret from which this installation derives the keys of short authentication tags.
select seal_key from cache_seal
