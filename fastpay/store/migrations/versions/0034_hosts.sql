-- Instances with the same host share its processors, and some of them are homes for all.
alter table member
    add column host text not null default '',
    add column processors integer not null default 1;
