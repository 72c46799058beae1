-- The newest entries of a kind with an amount in a range, below an identifier.
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
    select object_id, terms
    from search_entry
    where tenant_id = $1::uuid
        and livemode = $2::boolean
        and kind = $3::smallint
        and amount between $8::bigint and $9::bigint
    offset 0
) as found
where found.object_id < $4::uuid
    and found.object_id > $5::uuid
    and found.terms @> $6::bigint[]
    and not found.terms && $7::bigint[]
order by found.object_id desc
limit $10::integer
