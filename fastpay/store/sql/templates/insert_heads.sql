-- Adds the rows of {table} that stand for new objects, as of their latest versions.{parameters}
insert into {table} ({columns})
select {values}
