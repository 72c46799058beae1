-- The holds between clients' accounts that expire and have not ended: what is due is found without looking at those
-- that ended long ago. The trigger that looks at the transfers of a statement keeps it.
create table ledger_expiry (
    tenant_id uuid not null,
    livemode boolean not null,
    sequence bigint not null,
    place smallint not null,
    expires_at timestamptz not null,
    constraint ledger_expiry_pkey primary key (tenant_id, livemode, sequence, place)
);

create index ledger_expiry_by_time on ledger_expiry (expires_at, tenant_id, livemode, sequence, place);

insert into ledger_expiry (tenant_id, livemode, sequence, place, expires_at)
select hold.tenant_id, hold.livemode, hold.sequence, hold.place, hold.expires_at
from ledger_transfer as hold
where hold.expires_at is not null
    and not exists (
        select
        from ledger_transfer as ending
        where ending.tenant_id = hold.tenant_id
            and ending.livemode = hold.livemode
            and ending.hold_sequence = hold.sequence
            and ending.hold_place = hold.place
    );

create function ledger_transfer_expires() returns trigger language plpgsql as $body$
begin
    insert into ledger_expiry (tenant_id, livemode, sequence, place, expires_at)
    select tenant_id, livemode, sequence, place, expires_at
    from written
    where expires_at is not null;
    -- After the insert: what is made and ended in one statement is gone again.
    delete from ledger_expiry as due
    using written
    where written.hold_sequence is not null
        and due.tenant_id = written.tenant_id
        and due.livemode = written.livemode
        and due.sequence = written.hold_sequence
        and due.place = written.hold_place;
    return null;
end
$body$;

create trigger ledger_transfer_expires after insert on ledger_transfer
    referencing new table as written for each statement execute function ledger_transfer_expires();

-- Few payments wait for their capture, and only those are looked at when time ends them.
create index payment_intent_held on payment_intent (payment_intent_id, tenant_id, livemode)
    where status = 'requires_capture';
