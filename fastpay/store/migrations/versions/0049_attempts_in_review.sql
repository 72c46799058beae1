-- Attempts in review are listed, and end as a person says.
alter table attempt drop constraint attempt_status_known;
-- The rows that are there met the narrower one, so they are not read.
alter table attempt add constraint attempt_status_known check (
    status in (
        'open', 'approved', 'declined', 'refused', 'not_sent', 'not_found', 'review', 'compensated'
    )
) not valid;

create index attempt_by_status on attempt (tenant_id, livemode, status, attempt_id);
