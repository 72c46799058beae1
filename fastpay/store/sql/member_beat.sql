-- For all tenants: renew the row of an instance, and return the database's time in microseconds since 1970 with
-- each other live instance of the same release, or with none.
-- $1 member_id uuid
-- $2 release text
-- $3 socket text
-- $4 address text
-- $5 busy integer
-- $6 homes integer
-- $7 report text: a JSON object
-- $8 alive_ms integer
with renewed as (
    insert into member (member_id, release, socket, address, busy, homes, report)
    values ($1::uuid, $2::text, $3::text, $4::text, $5::integer, $6::integer, $7::text::jsonb)
    on conflict (member_id) do update
    set busy = excluded.busy, homes = excluded.homes, report = excluded.report, seen_at = clock_timestamp()
)
select
    (date_part('epoch', clock_timestamp()) * 1000000)::bigint as moment_us, member_id, socket, address, busy, homes,
    coalesce((report ->> 'looks')::integer, 0) = 1 as looks
from (values (1)) as once (number)
left join member on member_id <> $1::uuid and release = $2::text
    and seen_at > clock_timestamp() - make_interval(secs => $8::integer / 1000.0)
order by member_id
