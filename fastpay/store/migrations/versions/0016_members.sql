-- The instances that serve this database, and what each of them has counted, for operators. A row that is not renewed
-- is of an instance that is gone. A crash of the database may empty the table: within a second it is filled again.
create unlogged table member (
    member_id uuid not null,
    release text not null,
    socket text not null,
    address text,
    report jsonb not null,
    joined_at timestamptz not null default clock_timestamp(),
    seen_at timestamptz not null default clock_timestamp(),
    constraint member_pkey primary key (member_id)
) with (fillfactor = 50);
