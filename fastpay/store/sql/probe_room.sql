-- Writes more than a megabyte, in rows too short for compression, so that the disk must have room for it.
insert into fastpay_probe select repeat('x', 1900) from generate_series(1, 600)
