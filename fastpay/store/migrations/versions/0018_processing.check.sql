-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no index payment_intent_processing' as fault
where not exists (
    select
    from pg_index
    where indexrelid = to_regclass('payment_intent_processing') and indpred is not null and indisvalid
)
