-- A tenant with the rules of both modes, locked: whoever changes it next waits. Payments do not.
-- $1 tenant_id uuid
select tenant.tenant_id, tenant.name, tenant.created_at, test.rules as test_rules, live.rules as live_rules
from tenant
join book as test on test.tenant_id = tenant.tenant_id and not test.livemode
join book as live on live.tenant_id = tenant.tenant_id and live.livemode
where tenant.tenant_id = $1::uuid
for no key update of tenant
