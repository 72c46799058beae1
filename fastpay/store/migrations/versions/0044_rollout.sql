-- What operators chose for each route, and when. The newest row of a route counts, or that of all routes ('*') if
-- it is newer.
create table rollout_change (
    change_id bigint generated always as identity,
    route text not null,
    state text not null,
    percent integer not null,
    changed_at timestamptz not null default clock_timestamp(),
    changed_by text not null,
    constraint rollout_change_pkey primary key (change_id),
    constraint rollout_change_route_form check (route = '*' or route ~ '^[A-Z]+ /[^ ]+$'),
    constraint rollout_change_state_known check (state in ('legacy', 'split', 'fastpay')),
    constraint rollout_change_percent_of_a_split check (
        case when state = 'split' then percent between 0 and 100 else percent = 0 end
    )
);
create index rollout_change_by_route on rollout_change (route, change_id);

-- Which side an idempotency key belongs to. It is on disk before either side gets the request.
create table rollout_key (
    digest bytea not null,
    tenant_id uuid not null,
    livemode boolean not null,
    side text not null,
    bound_at timestamptz not null default clock_timestamp(),
    constraint rollout_key_pkey primary key (digest, tenant_id, livemode),
    constraint rollout_key_digest_length check (octet_length(digest) = 16),
    constraint rollout_key_side_known check (side in ('legacy', 'fastpay'))
);
create index rollout_key_by_age on rollout_key using brin (bound_at);

create trigger rollout_change_immutable before delete or update or truncate on rollout_change
for each statement execute function refuse_change();
