-- Objects of {table} by their latest versions, newest first. At most one of them has {alone}. It is in a unique
-- index, and the others are in another index.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    only below this identifier
-- $4 uuid    only above this identifier
-- $5 boolean nearest above first, instead of newest first
-- $6 integer rows at most{parameters}
select found.version, found.sequence, found.kind, found.snapshot
from (
    select object_id, version
    from (
        (
            select {id} as object_id, version
            from {table}
            where tenant_id = $1::uuid and livemode = $2::boolean{predicate}
                and {alone}
                and {id} < $3::uuid and {id} > $4::uuid
        )
        union all
        (
            select {id} as object_id, version
            from {table}
            where not $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean{predicate}
                and {others}
                and {id} < $3::uuid and {id} > $4::uuid
            order by {id} desc
            limit $6::integer
        )
        union all
        (
            select {id} as object_id, version
            from {table}
            where $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean{predicate}
                and {others}
                and {id} < $3::uuid and {id} > $4::uuid
            order by {id}
            limit $6::integer
        )
    ) as candidate
    order by case when $5::boolean then object_id end, object_id desc
    limit $6::integer
) as head
{snapshots}order by head.object_id desc
