-- For all tenants: forget which objects of the legacy API look like this server's.
with forgotten as (delete from rollout_mistaken returning prefix)
select count(*) as count from forgotten
