-- For all tenants: make the partitions of attempts for the next days.
select make_day_partitions('webhook_attempt'::regclass) as made
