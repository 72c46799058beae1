-- Ends a statement that was decided on books which have moved on, or at another time, before it has written anything.
create function require_decided(books_are_as_expected boolean, time_is_right boolean)
returns text language plpgsql volatile as $body$
begin
    if not books_are_as_expected then
        raise exception 'a book does not stand as it did when this was decided' using errcode = 'FP001';
    end if;
    if not time_is_right then
        raise exception 'the time of this is not the database''s' using errcode = 'FP002';
    end if;
    return pg_current_xact_id()::text;
end
$body$;
