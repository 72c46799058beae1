-- The database's time, in microseconds since 1970.
select (date_part('epoch', clock_timestamp()) * 1000000)::bigint as moment_us
