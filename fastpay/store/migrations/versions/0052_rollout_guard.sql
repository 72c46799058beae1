-- Why a route was rolled back by a guardrail; null for what a person has changed.
alter table rollout_change add column reason text;

-- What guardrails know of a split route since a change of its state: one row for each metric.
create table rollout_guard (
    change_id bigint not null,
    route text not null,
    metric text not null,
    blocks bigint not null,
    legacy bigint not null,
    legacy_bad bigint not null,
    fastpay bigint not null,
    fastpay_bad bigint not null,
    evidence double precision not null,
    constraint rollout_guard_pkey primary key (change_id, route, metric),
    constraint rollout_guard_change_fkey foreign key (change_id) references rollout_change,
    constraint rollout_guard_metric_known check (metric in ('errors', 'declines', 'slow', 'sample')),
    constraint rollout_guard_bad_within_all check (
        legacy_bad between 0 and legacy and fastpay_bad between 0 and fastpay
    )
);
