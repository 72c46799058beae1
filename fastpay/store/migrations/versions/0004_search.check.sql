-- One row for each thing that is wrong; none when the migration did all of its work.
select 'table ' || name || ' is missing' as problem
from (values ('search_entry'), ('search_progress'), ('search_entry_by_term'), ('search_entry_by_amount')) as expected (name)
where to_regclass(name) is null
union all
select 'constraint ' || conname || ' is not validated'
from pg_constraint
where connamespace = current_schema()::regnamespace and not convalidated
union all
select 'column customer.searchable is still there'
from pg_attribute
where attrelid = to_regclass('customer') and attname = 'searchable' and not attisdropped
