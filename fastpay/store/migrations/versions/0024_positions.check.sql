-- One row for each thing that is wrong; none when the migration did all of its work.
select 'column ' || name || ' is missing on ' || owner as problem
from (
    values ('ledger_transfer', 'position'), ('ledger_transfer', 'hold_position'), ('ledger_expiry', 'position')
) as expected (owner, name)
where not exists (
    select from pg_attribute where attrelid = to_regclass(expected.owner) and attname = expected.name
)
union all
select 'function ' || proname || ' names a column that was renamed'
from pg_proc
where pronamespace = to_regnamespace(current_schema()) and prosrc ~ '\m(hold_)?place\M'
