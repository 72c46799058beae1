-- One more state of a route: the older API answers, and what fastpay would answer is compared with it.
alter table rollout_change
    drop constraint rollout_change_state_known,
    add constraint rollout_change_state_known check (state in ('legacy', 'shadow', 'split', 'fastpay'));
