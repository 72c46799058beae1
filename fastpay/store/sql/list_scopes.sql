-- Every tenant and mode that there is, for the work that is done for one after the other.
select tenant_id, livemode
from book
order by tenant_id, livemode
