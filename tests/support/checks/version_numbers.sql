-- Objects whose versions are not numbered from one without a gap, in the order of the sequence.
select tenant_id, object_id, version, sequence
from (
    select
        tenant_id, livemode, object_id, version, sequence,
        row_number() over object as place, lag(sequence) over object as before
    from object_version
    window object as (partition by tenant_id, livemode, object_id order by version)
) as numbered
where version <> place or sequence <= before
