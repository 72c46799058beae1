-- What operators did, newest first. A filter that is null lets everything through.
-- $1 below bigint: only actions before this one
-- $2 rows_max integer
-- $3 operator text
-- $4 action text: how it begins
-- $5 tenant text: the name, or the identifier
-- $6 since_ms bigint: from this moment on
-- $7 until_ms bigint: before this moment
select
    done.action_id, floor(extract(epoch from done.moment) * 1000)::bigint as moment_ms, done.operator, done.action,
    done.subject, done.detail, done.request_id, replace(done.tenant_id::text, '-', '') as tenant_id,
    tenant.name as tenant
from operator_action as done
left join tenant on tenant.tenant_id = done.tenant_id
where done.action_id < $1::bigint
    and ($3::text is null or done.operator = $3::text)
    and ($4::text is null or starts_with(done.action, $4::text))
    and (
        $5::text is null
        or done.tenant_id = any(
            select tenant_id
            from tenant
            where name = $5::text or replace(tenant_id::text, '-', '') = $5::text
        )
    )
    and ($6::bigint is null or done.moment >= to_timestamp($6::bigint / 1000.0))
    and ($7::bigint is null or done.moment < to_timestamp($7::bigint / 1000.0))
order by done.action_id desc
limit $2::integer
