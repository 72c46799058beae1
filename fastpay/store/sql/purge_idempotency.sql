-- Forgets, of all tenants, the first answers in some neighbouring blocks of the table that are older than they must be
-- kept. Age alone decides; blocks are read in their order, and no index is asked. The age is the database's to tell.
-- The caller's clock can only make a row younger: what is forgotten cannot be got back, so both must agree.
-- $1 tid     where the first block begins
-- $2 tid     where the first block begins that is not looked at
-- $3 integer hours to keep a first answer
-- $4 bigint  the caller's time, in milliseconds since 1970
with forgotten as (
    delete from idempotency
    where ctid >= $1::tid
        and ctid < $2::tid
        and created_at < least(now(), timestamptz 'epoch' + $4::bigint * interval '1 millisecond')
            - $3::integer * interval '1 hour'
    returning tenant_id, livemode
)
select
    count(*) as rows,
    pg_relation_size('idempotency') / current_setting('block_size')::bigint as blocks
from forgotten
