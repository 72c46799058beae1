-- One row for each thing that is wrong; none when the migration did all of its work.
select 'no table ' || name as problem
from unnest('{setup_intent,setup_attempt}'::text[]) as name
where to_regclass(name) is null
union all
select 'no index ' || name
from unnest(
    '{setup_intent_by_payment_method,setup_intent_by_customer,setup_attempt_by_setup_intent}'::text[]
) as name
where to_regclass(name) is null
union all
select 'no trigger ' || name
from unnest('{setup_intent_kept,setup_attempt_kept}'::text[]) as name
where not exists (select from pg_trigger where tgname = name)
