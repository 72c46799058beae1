-- Changes the rows of {table} that stand for objects which existed before, as of their latest versions.{parameters}
update {table}
set {assignments}
from (
    select {values}
) as changed
where {table}.tenant_id = changed.tenant_id
    and {table}.livemode = changed.livemode
    and {table}.{id} = changed.{id}
