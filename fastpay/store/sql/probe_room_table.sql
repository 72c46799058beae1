-- A table that ends with its transaction, to be filled by probe_room.sql.
create temporary table fastpay_probe (filling text) on commit drop
