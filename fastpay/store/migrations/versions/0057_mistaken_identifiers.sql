-- Objects of the legacy API whose identifiers look like this server's: the newest one of each prefix.
create table rollout_mistaken (
    prefix text not null,
    identifier text not null,
    route text not null,
    first_at timestamptz not null default clock_timestamp(),
    last_at timestamptz not null default clock_timestamp(),
    constraint rollout_mistaken_pkey primary key (prefix)
);
