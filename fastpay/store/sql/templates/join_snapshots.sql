-- The snapshot of each row of `head`. `offset 0` keeps the planner from joining in another way, whatever the
-- statistics say.
-- $1 uuid    tenant
-- $2 boolean mode
cross join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = head.object_id
        and object_version.version = head.version
    offset 0
) as found
