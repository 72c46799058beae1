-- For all tenants: make the partitions of the request log for the next days.
select make_day_partitions('request_log'::regclass) as made
