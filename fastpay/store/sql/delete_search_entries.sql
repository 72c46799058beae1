-- Removes objects from the search index.
-- $1 uuid       tenant
-- $2 boolean    mode
-- $3 smallint[] kinds
-- $4 uuid[]     objects
delete from search_entry
using unnest($3::smallint[], $4::uuid[]) as gone (kind, object_id)
where search_entry.tenant_id = $1::uuid
    and search_entry.livemode = $2::boolean
    and search_entry.kind = gone.kind
    and search_entry.object_id = gone.object_id
