-- Deletes first answers that are older than the retention, of all tenants, in a range of blocks of the table. Only
-- their age counts, and the blocks are read in order without an index. The age is by the database's clock. The
-- caller's clock can only make a row younger: deleted rows cannot be restored, so both clocks must agree.
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
