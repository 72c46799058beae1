-- The people who use the console. Secrets are digests, hashes or sealed: who reads these tables signs in nowhere.
create table operator (
    operator_id uuid not null,
    name text not null,
    role text not null,
    password_hash text,
    sealed_secret bytea,
    sealed_under text,
    -- The last time step whose code was used: each code is good once.
    last_step bigint not null default 0,
    failures integer not null default 0,
    locked_until timestamptz not null default '-infinity',
    disabled boolean not null default false,
    created_at timestamptz not null default now(),
    constraint operator_pkey primary key (operator_id),
    constraint operator_name_unique unique (name),
    constraint operator_name_form check (char_length(name) between 1 and 100),
    constraint operator_role_known check (role in ('view', 'operate', 'admin')),
    constraint operator_secrets_together check (
        (password_hash is null) = (sealed_secret is null) and (sealed_secret is null) = (sealed_under is null)
    )
);

create trigger operator_kept before delete or update of operator_id, name or truncate on operator
for each statement execute function refuse_removal();

create table operator_invitation (
    digest bytea not null,
    operator_id uuid not null,
    expires_at timestamptz not null,
    used_at timestamptz,
    constraint operator_invitation_pkey primary key (digest),
    constraint operator_invitation_digest_length check (octet_length(digest) = 32),
    constraint operator_invitation_operator_fkey foreign key (operator_id) references operator (operator_id)
);

create table operator_session (
    digest bytea not null,
    operator_id uuid not null,
    created_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    ended_at timestamptz,
    constraint operator_session_pkey primary key (digest),
    constraint operator_session_digest_length check (octet_length(digest) = 32),
    constraint operator_session_operator_fkey foreign key (operator_id) references operator (operator_id)
);

create index operator_session_by_operator on operator_session (operator_id) where ended_at is null;

-- What operators did. Rows are never changed.
create table operator_action (
    action_id bigint generated always as identity,
    moment timestamptz not null default now(),
    operator text not null,
    action text not null,
    -- An identifier, or a name.
    subject text not null,
    -- The command that came of it, whose events have the same.
    request_id text,
    constraint operator_action_pkey primary key (action_id),
    constraint operator_action_texts check (char_length(action) <= 100 and char_length(subject) <= 500)
);

create index operator_action_by_subject on operator_action (subject, action_id);

create trigger operator_action_immutable before delete or update or truncate on operator_action
for each statement execute function refuse_change();
