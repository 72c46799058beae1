-- For all tenants: those, with their modes, for which something was imported.
select tenant_id, livemode
from import_scope
