-- For all tenants: make the partitions of attempts for the next days, and drop those that are too old.
-- $1 retention_days integer
select keep_webhook_attempts($1::integer) as changed
