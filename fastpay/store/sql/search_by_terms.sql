-- The newest entries of a kind that have all of some terms, below an identifier. The terms include the tenant, and
-- only they lead to entries: so the plan is the same however many entries a tenant has.
-- $1 uuid     tenant
-- $2 boolean  mode
-- $3 smallint kind
-- $4 uuid     only below this identifier
-- $5 uuid     only above this identifier
-- $6 bigint[] terms that all stand
-- $7 bigint[] terms of which none stands
-- $8 bigint   least amount
-- $9 bigint   greatest amount
-- $10 integer entries at most
select found.object_id
from (
    select tenant_id, livemode, kind, object_id, terms, amount
    from search_entry
    where terms @> $6::bigint[]
    offset 0
) as found
where found.tenant_id = $1::uuid
    and found.livemode = $2::boolean
    and found.kind = $3::smallint
    and found.object_id < $4::uuid
    and found.object_id > $5::uuid
    and not found.terms && $7::bigint[]
    and coalesce(found.amount, 0) between $8::bigint and $9::bigint
order by found.object_id desc
limit $10::integer
