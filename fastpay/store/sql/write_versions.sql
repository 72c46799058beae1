-- New versions of objects.
-- $1 uuid[]     tenants
-- $2 boolean[]  modes
-- $3 uuid[]     objects
-- $4 integer[]  versions
-- $5 bigint[]   sequences
-- $6 smallint[] kinds
-- $7 bytea[]    snapshots
insert into object_version (tenant_id, livemode, object_id, version, sequence, kind, snapshot)
select * from unnest($1::uuid[], $2::boolean[], $3::uuid[], $4::integer[], $5::bigint[], $6::smallint[], $7::bytea[])
