-- The newest revision that a program must know to work on this schema. A program that knows less refuses to start.
create table schema_compatibility (
    oldest_program text not null
        constraint schema_compatibility_oldest_program_is_revision check (oldest_program ~ '^[0-9]{4}$')
);

create unique index schema_compatibility_single on schema_compatibility ((true));

insert into schema_compatibility (oldest_program) values ('0032');
