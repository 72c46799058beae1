-- Imports from an older API: what was imported is an object, and comes with transfers of its own kinds.
alter table object_version drop constraint object_version_kind_known;
-- The rows that are there met the narrower one, so they are not read.
alter table object_version add constraint object_version_kind_known check (kind between 1 and 27) not valid;

-- The tenants and modes into which something was imported: requests of no other name identifiers of an older API.
create table import_scope (
    tenant_id uuid not null,
    livemode boolean not null,
    constraint import_scope_pkey primary key (tenant_id, livemode),
    constraint import_scope_tenant_fkey foreign key (tenant_id) references tenant (tenant_id)
);

-- More kinds of transfers. Nothing else in the function changes.
do $body$
declare
    changed record;
begin
    for changed in
        select
            replace(
                pg_get_functiondef(found.oid), '''settlement_difference''',
                '''settlement_difference'', ''opening_balance'', ''opening_charge'', ''opening_refund'''
            ) as after
        from pg_proc as found
        where found.pronamespace = current_schema()::regnamespace and found.proname = 'check_transfers'
    loop
        execute changed.after;
    end loop;
end
$body$;
