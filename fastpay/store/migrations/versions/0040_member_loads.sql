-- How busy an instance is, in percent of a processor, and how many homes it knows of.
alter table member
    add column busy integer not null default 0,
    add column homes integer not null default 1;
