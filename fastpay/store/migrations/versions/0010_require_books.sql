-- Ends a statement that stands on books which have moved on, before it has written anything.
create function require_books(stand_as_expected boolean) returns text language plpgsql volatile as $body$
begin
    if not stand_as_expected then
        raise exception 'a book does not stand as it did when this was decided' using errcode = 'FP001';
    end if;
    return pg_current_xact_id()::text;
end
$body$;
