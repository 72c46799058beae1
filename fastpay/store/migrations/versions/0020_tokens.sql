-- Tokens and confirmation tokens have versions and no heads, since no list shows them.
alter table object_version drop constraint object_version_kind_known;
alter table object_version add constraint object_version_kind_known check (kind between 1 and 17);
