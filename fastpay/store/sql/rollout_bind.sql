-- Bind an idempotency key to a side, unless it is bound, and return its side. A key with a first answer here
-- belongs to fastpay. No row: another request is binding it in this moment, and is done now.
-- $1 tenant_id uuid
-- $2 livemode boolean
-- $3 digest bytea
-- $4 side text
with bound as (
    insert into rollout_key (digest, tenant_id, livemode, side)
    select
        $3::bytea,
        $1::uuid,
        $2::boolean,
        case
            when exists (
                select
                from idempotency
                where digest = $3::bytea and tenant_id = $1::uuid and livemode = $2::boolean
            ) then 'fastpay'
            else $4::text
        end
    on conflict (digest, tenant_id, livemode) do nothing
    returning side
)
select side from bound
union all
select side from rollout_key
where digest = $3::bytea and tenant_id = $1::uuid and livemode = $2::boolean
