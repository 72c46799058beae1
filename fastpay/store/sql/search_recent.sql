-- The newest entries of a kind below an identifier: those that may match, and the last one that was examined.
-- $1 uuid     tenant
-- $2 boolean  mode
-- $3 smallint kind
-- $4 uuid     only below this identifier
-- $5 uuid     only above this identifier
-- $6 bigint[] terms that all stand
-- $7 bigint[] terms of which none stands
-- $8 bigint   least amount
-- $9 bigint   greatest amount
-- $10 integer matching entries at most
-- $11 integer entries to look at
with examined as materialized (
    select object_id, terms, amount
    from search_entry
    where tenant_id = $1::uuid
        and livemode = $2::boolean
        and kind = $3::smallint
        and object_id < $4::uuid
        and object_id > $5::uuid
    order by object_id desc
    limit $11::integer
)
(
    select object_id, true as may_match, null::bigint as examined
    from examined
    where terms @> $6::bigint[]
        and not terms && $7::bigint[]
        and coalesce(amount, 0) between $8::bigint and $9::bigint
    order by object_id desc
    limit $10::integer
)
union all
(
    select object_id, false, (select count(*) from examined)
    from examined
    order by object_id
    limit 1
)
