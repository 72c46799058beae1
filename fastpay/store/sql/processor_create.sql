-- Adds a processor of a tenant. The first one that is added becomes the default.
-- $1 tenant_id uuid, $2 livemode boolean, $3 name text, $4 processor_id uuid, $5 kind text, $6 url text,
-- $7 sealed bytea, $8 sealed_under text
insert into processor (
    tenant_id, livemode, name, processor_id, kind, url, sealed, sealed_under, is_default
)
select
    $1, $2, $3, $4, $5, $6, $7, $8,
    not exists (select from processor where tenant_id = $1 and livemode = $2 and is_default)
