-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('operator_passkey'), ('operator_challenge')) as expected (name)
where to_regclass(name) is null
union all
select 'column ' || name || '.' || attribute || ' is missing'
from (
    values
    ('operator_session', 'proved_at'), ('operator_session', 'way'), ('operator_session', 'agent'),
    ('operator_action', 'tenant_id')
) as expected (name, attribute)
where not exists (
    select from pg_attribute where attrelid = to_regclass(name) and attname = attribute and not attisdropped
)
union all
select 'index ' || name || ' is missing'
from (
    values ('operator_passkey_by_operator'), ('operator_action_by_operator'), ('operator_action_by_tenant')
) as expected (name)
where to_regclass(name) is null
