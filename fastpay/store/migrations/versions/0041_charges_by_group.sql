-- Charges are listed by their group. Few have one, so most pay nothing for it. A charge of before is found once it
-- changes.
alter table charge add column transfer_group text;

create index charge_by_group on charge (tenant_id, livemode, transfer_group, charge_id)
    where transfer_group is not null;
