-- Writes objects into the search index. The terms of all objects are in one array, in order; each object has the
-- positions of its first and its last term.
-- $1 uuid       tenant
-- $2 boolean    mode
-- $3 smallint[] kinds
-- $4 uuid[]     objects
-- $5 bigint[]   amounts
-- $6 integer[]  positions in the terms before each object's
-- $7 integer[]  positions in the terms where each object's end
-- $8 bigint[]   terms of all objects
insert into search_entry (tenant_id, livemode, kind, object_id, amount, terms)
select $1::uuid, $2::boolean, new.kind, new.object_id, new.amount, ($8::bigint[])[new.before + 1:new.last]
from unnest($3::smallint[], $4::uuid[], $5::bigint[], $6::integer[], $7::integer[])
    as new (kind, object_id, amount, before, last)
on conflict (tenant_id, livemode, kind, object_id) do update
set amount = excluded.amount, terms = excluded.terms
where search_entry.terms <> excluded.terms or search_entry.amount is distinct from excluded.amount
