-- Passkeys of operators, proofs that a session is still theirs, and the tenant of what they did.
create table operator_passkey (
    passkey_id uuid not null,
    operator_id uuid not null,
    name text not null,
    -- What the authenticator calls it, and the key that checks its signatures. Neither is secret.
    credential_id bytea not null,
    public_key bytea not null,
    -- The host that it is good for: a browser offers it nowhere else.
    rp_id text not null,
    sign_count bigint not null,
    created_at timestamptz not null default now(),
    used_at timestamptz,
    constraint operator_passkey_pkey primary key (passkey_id),
    constraint operator_passkey_credential_unique unique (credential_id),
    constraint operator_passkey_operator_fkey foreign key (operator_id) references operator (operator_id),
    constraint operator_passkey_name_form check (char_length(name) between 1 and 100),
    constraint operator_passkey_sizes check (
        octet_length(credential_id) between 1 and 1023 and octet_length(public_key) between 1 and 4096
    ),
    constraint operator_passkey_count_positive check (sign_count >= 0)
);

create index operator_passkey_by_operator on operator_passkey (operator_id);

-- Challenges that a passkey has answered: each is good once. Past its end a challenge is refused without its row.
create table operator_challenge (
    digest bytea not null,
    expires_at timestamptz not null,
    constraint operator_challenge_pkey primary key (digest),
    constraint operator_challenge_digest_length check (octet_length(digest) = 32)
);

-- When the operator last gave a password with a code, or a passkey. A session that began earlier has to ask again.
alter table operator_session
add column proved_at timestamptz not null default '-infinity',
add column way text not null default 'code',
add column agent text not null default '',
add constraint operator_session_way_known check (way in ('invitation', 'code', 'passkey')),
add constraint operator_session_agent_length check (char_length(agent) <= 200);

alter table operator_session alter column proved_at set default now();

-- The tenant whose object it was done to, if there is one. Earlier rows do not have it.
alter table operator_action add column tenant_id uuid;

create index operator_action_by_operator on operator_action (operator, action_id);
create index operator_action_by_tenant on operator_action (tenant_id, action_id) where tenant_id is not null;
