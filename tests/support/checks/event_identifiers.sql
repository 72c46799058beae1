-- Events that share an identifier.
select event_id, count(*) as events
from event
group by event_id
having count(*) > 1
