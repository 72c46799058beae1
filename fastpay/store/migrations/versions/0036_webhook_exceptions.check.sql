-- One row for each thing that is wrong; none when the migration did all of its work.
select 'exceptions have no generation' as problem
where not exists (
    select
    from information_schema.columns
    where table_schema = current_schema() and table_name = 'webhook_exception' and column_name = 'generation'
)
union all
select 'a position claims more than was acknowledged'
where exists (
    select
    from webhook_position
    join webhook_exception using (tenant_id, livemode, webhook_endpoint_id, generation)
    where webhook_exception.sequence <= webhook_position.delivered_through
)
