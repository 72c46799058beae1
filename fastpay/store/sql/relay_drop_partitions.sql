-- For all tenants: drop the partitions of attempts that are too old.
-- $1 retention_days integer
select drop_day_partitions('webhook_attempt'::regclass, $1::integer) as dropped
