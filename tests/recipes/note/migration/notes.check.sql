-- One row for each thing that is wrong.
select 'no table note' as fault where to_regclass('note') is null
