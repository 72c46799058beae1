-- For all tenants: the instances that are live, with what they have counted, the oldest first.
-- $1 alive_ms integer
select member_id, release, address, busy, homes, report::text as report,
    date_part('epoch', clock_timestamp() - seen_at)::bigint as age_s
from member
where seen_at > clock_timestamp() - make_interval(secs => $1::integer / 1000.0)
order by joined_at
