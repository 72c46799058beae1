-- For all tenants: whether fastpay was ever to make objects, so that it may have some.
select exists (
    select from rollout_change where state = 'fastpay' or (state = 'split' and percent > 0)
) as moved
