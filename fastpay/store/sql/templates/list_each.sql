-- The newest objects of {table} of each of many owners by their latest versions, in the order of the owners.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid[]  owners, as {owner} names them
-- $4 uuid[]  only below this identifier, for each owner
-- $5 integer rows at most of each owner
select owner.number, found.version, found.sequence, found.kind, found.snapshot
from unnest($3::uuid[], $4::uuid[]) with ordinality as owner (id, below, number)
cross join lateral (
    select {id} as object_id, version
    from {table}
    where tenant_id = $1::uuid and livemode = $2::boolean{predicate}
        -- A range and no equality: only the index of the owner has this order, so the planner cannot choose
        -- the primary key and look through the objects of all owners.
        and {owner} >= owner.id and ({owner}, {id}) < (owner.id, owner.below)
    order by {owner} desc, {id} desc
    limit $5::integer
) as head
{snapshots}order by owner.number, head.object_id desc
