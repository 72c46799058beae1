-- Inserts events with their sequence numbers.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 bigint[]  sequences
-- $4 uuid[]    events
-- $5 text[]    types
-- $6 uuid[]    objects
-- $7 integer[] versions
-- $8 text[]    request identifiers
-- $9 timestamptz[] moments
insert into event (tenant_id, livemode, sequence, event_id, type, object_id, version, request_id, created_at)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::bigint[]), unnest($4::uuid[]),
    unnest($5::text[]), unnest($6::uuid[]), unnest($7::integer[]), unnest($8::text[]),
    unnest($9::timestamptz[])
