-- Inserts the heads of new objects into {table}, as of their latest versions.{parameters}
insert into {table} ({columns})
select {values}
