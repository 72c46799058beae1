-- For all tenants: forget a number of keys that are older than first answers.
-- $1 hours integer
-- $2 rows_max integer
delete from rollout_key
where ctid = any (
    array(
        select ctid
        from rollout_key
        where bound_at < now() - $1::integer * interval '1 hour'
        limit $2::integer
    )
)
