-- For all tenants: let no route be changed by others until the end of the transaction.
lock table rollout_change in share row exclusive mode
