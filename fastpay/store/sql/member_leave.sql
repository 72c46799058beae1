-- For all tenants: delete the row of an instance, and those of instances that have long gone.
-- $1 member_id uuid
delete from member where member_id = $1::uuid or seen_at < clock_timestamp() - interval '1 hour'
