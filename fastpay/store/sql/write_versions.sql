-- Inserts new versions of objects.
-- $1 uuid[]    tenants
-- $2 boolean[] modes
-- $3 uuid[]    objects
-- $4 integer[] versions
-- $5 bigint[]  sequences
-- $6 smallint[] kinds
-- $7 bytea[]   snapshots
insert into object_version (tenant_id, livemode, object_id, version, sequence, kind, snapshot)
select unnest($1::uuid[]), unnest($2::boolean[]), unnest($3::uuid[]), unnest($4::integer[]),
    unnest($5::bigint[]), unnest($6::smallint[]), unnest($7::bytea[])
