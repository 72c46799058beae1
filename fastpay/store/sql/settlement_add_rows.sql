-- Adds rows of a file, except those that another file of the processor had. Returns a row for each one that is new.
-- $1  uuid      tenant
-- $2  boolean   mode
-- $3  uuid[]    settlements
-- $4  integer[] positions
-- $5  integer[] lines
-- $6  bytea[]   identities
-- $7  text[]    types
-- $8  text[]    our references
-- $9  text[]    their identifiers
-- $10 bigint[]  gross
-- $11 bigint[]  fee
-- $12 bigint[]  net
-- $13 date[]    value dates
insert into settlement_row (
    tenant_id, livemode, settlement_id, position, line, identity, type, reference, processor_id, gross, fee, net,
    value_date
)
select $1::uuid, $2::boolean, found.*
from unnest(
    $3::uuid[], $4::integer[], $5::integer[], $6::bytea[], $7::text[], $8::text[], $9::text[], $10::bigint[],
    $11::bigint[], $12::bigint[], $13::date[]
) as found
on conflict (tenant_id, livemode, identity) do nothing
returning settlement_id
