-- Of each pair of answers it is counted how long both sides took; of split routes, what each has charged.
alter table rollout_finding drop constraint rollout_finding_measure_known;
alter table rollout_finding add constraint rollout_finding_measure_known check (
    measure in ('outcome', 'difference', 'hidden', 'latency', 'money')
);
