-- A table for probe_room.sql that is dropped at the end of the transaction.
create temporary table fastpay_probe (filling text) on commit drop
