-- For all tenants: drop the partitions of the request log that are too old.
-- $1 retention_days integer
select drop_day_partitions('request_log'::regclass, $1::integer) as dropped
