-- For all tenants: the secret that this installation derives keys for short authentication tags from.
select seal_key from cache_seal
