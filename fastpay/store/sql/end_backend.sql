-- Ends a backend, so that it begins nothing more. Returns a row as long as it is there.
-- $1 integer     its process
-- $2 timestamptz when that was started
select pg_terminate_backend(pid) from pg_stat_activity where pid = $1::integer and backend_start = $2::timestamptz
