-- Ledger accounts by identifier, highest first. Those that payments move are included, and have no snapshot.
-- $1 uuid    tenant
-- $2 boolean mode
-- $3 uuid    only below this identifier
-- $4 uuid    only above this identifier
-- $5 boolean nearest above first, instead of newest first
-- $6 integer rows at most{parameters}
select
    head.account_id, head.code, head.currency, head.normal_side, head.min_balance, found.version, found.sequence,
    found.kind, found.snapshot
from (
    (
        select account.*
        from account
        where not $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean{predicate}
            and account_id < $3::uuid and account_id > $4::uuid
        order by account_id desc
        limit $6::integer
    )
    union all
    (
        select account.*
        from account
        where $5::boolean and tenant_id = $1::uuid and livemode = $2::boolean{predicate}
            and account_id < $3::uuid and account_id > $4::uuid
        order by account_id
        limit $6::integer
    )
) as head
left join lateral (
    select version, sequence, kind, snapshot
    from object_version
    where object_version.tenant_id = $1::uuid
        and object_version.livemode = $2::boolean
        and object_version.object_id = head.account_id
    order by version desc
    limit 1
) as found on true
order by head.account_id desc
