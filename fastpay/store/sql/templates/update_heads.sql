-- Updates the heads of existing objects in {table}, as of their latest versions.{parameters}
update {table}
set {assignments}
from (
    select {values}
) as changed
where {table}.tenant_id = changed.tenant_id
    and {table}.livemode = changed.livemode
    and {table}.{id} = changed.{id}
