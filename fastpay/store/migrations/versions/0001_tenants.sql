-- Tenants, the head of each of their books, and their API keys.

create table tenant (
    tenant_id uuid not null,
    name text not null,
    -- The key of the digests that tell one request, or one card, from another without storing it.
    fingerprint_key bytea not null,
    created_at timestamptz not null default now(),
    constraint tenant_pkey primary key (tenant_id),
    constraint tenant_name_unique unique (name),
    constraint tenant_name_length check (char_length(name) between 1 and 100),
    constraint tenant_fingerprint_key_length check (octet_length(fingerprint_key) = 32)
);

-- One row a tenant and mode. `sequence` is the last number given out, gapless, in commit order.
create table book (
    tenant_id uuid not null,
    livemode boolean not null,
    sequence bigint not null default 0,
    fee_basis_points integer not null default 290,
    fee_fixed bigint not null default 30,
    refunds_may_overdraw boolean not null default true,
    constraint book_pkey primary key (tenant_id, livemode),
    constraint book_tenant_fkey foreign key (tenant_id) references tenant (tenant_id),
    constraint book_sequence_range check (sequence >= 0),
    constraint book_fee_basis_points_range check (fee_basis_points between 0 and 10000),
    constraint book_fee_fixed_range check (fee_fixed between 0 and 99999999)
) with (fillfactor = 50);

-- A key is shown once, when it is made; here is only its digest.
create table api_key (
    tenant_id uuid not null,
    livemode boolean not null,
    key_id uuid not null,
    kind text not null,
    key_hash bytea not null,
    last4 text not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    constraint api_key_pkey primary key (tenant_id, livemode, key_id),
    constraint api_key_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    -- The digest leads, so that finding a key has only one good plan; the tenant is there for sharding.
    constraint api_key_hash_unique unique (key_hash, tenant_id),
    constraint api_key_kind_known check (kind in ('secret', 'publishable')),
    constraint api_key_hash_length check (octet_length(key_hash) = 32),
    constraint api_key_last4_length check (char_length(last4) = 4)
);
