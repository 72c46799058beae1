-- How busy an instance is, in percent of a processor, or 255 if its commands wait for too long; and how many homes it knows of.
alter table member
    add column busy integer not null default 0,
    add column homes integer not null default 1;
