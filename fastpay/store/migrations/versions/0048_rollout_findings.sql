-- What comparing the answers of both sides has found, for each route since a change of its state.
create table rollout_finding (
    change_id bigint not null,
    route text not null,
    measure text not null,
    name text not null,
    count bigint not null,
    first_at timestamptz not null default clock_timestamp(),
    last_at timestamptz not null default clock_timestamp(),
    constraint rollout_finding_pkey primary key (change_id, route, measure, name),
    constraint rollout_finding_change_fkey foreign key (change_id) references rollout_change,
    constraint rollout_finding_measure_known check (measure in ('outcome', 'difference', 'hidden')),
    constraint rollout_finding_count_positive check (count >= 1)
);

-- The first differences of each name, without what clients wrote.
create table rollout_example (
    change_id bigint not null,
    route text not null,
    name text not null,
    number integer not null,
    request text not null,
    request_id text not null,
    legacy text not null,
    fastpay text not null,
    found_at timestamptz not null default clock_timestamp(),
    constraint rollout_example_pkey primary key (change_id, route, name, number),
    constraint rollout_example_change_fkey foreign key (change_id) references rollout_change,
    constraint rollout_example_number_from_one check (number >= 1)
);
