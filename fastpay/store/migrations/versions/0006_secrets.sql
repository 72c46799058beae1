-- Signing secrets of API keys, and secrets sealed under the operator's key.

-- A fingerprint key is here sealed, or in plain where the installation has no sealing key (yet).
alter table tenant
    alter column fingerprint_key drop not null,
    add column sealed_fingerprint_key bytea,
    add column sealed_under text,
    add constraint tenant_fingerprint_key_once check (num_nonnulls(fingerprint_key, sealed_fingerprint_key) = 1),
    add constraint tenant_sealed_under_known
        check ((sealed_under is null) = (sealed_fingerprint_key is null)),
    add constraint tenant_sealed_under_length check (char_length(sealed_under) = 16);

alter table api_key
    add column signature_required boolean not null default false,
    -- What a browser holds cannot keep a secret to sign with.
    add constraint api_key_signature_secret_only check (kind = 'secret' or not signature_required);

-- One that never expires is the newest of its API key; those before it are good until their time.
create table signing_secret (
    tenant_id uuid not null,
    livemode boolean not null,
    key_id uuid not null,
    secret_id uuid not null,
    sealed bytea not null,
    sealed_under text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    constraint signing_secret_pkey primary key (tenant_id, livemode, key_id, secret_id),
    constraint signing_secret_key_fkey foreign key (tenant_id, livemode, key_id)
        references api_key (tenant_id, livemode, key_id),
    constraint signing_secret_sealed_length check (octet_length(sealed) > 28),
    constraint signing_secret_sealed_under_length check (char_length(sealed_under) = 16)
);

create unique index signing_secret_newest on signing_secret (tenant_id, livemode, key_id)
    where expires_at is null;
