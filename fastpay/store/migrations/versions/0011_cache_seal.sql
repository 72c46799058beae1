-- Copies of objects in Redis are sealed with a key that Redis never sees, so that whoever writes there can make
-- up none. It guards nothing from who reads this database, who has the objects themselves.
create table cache_seal (
    only_one boolean not null default true,
    seal_key bytea not null,
    constraint cache_seal_pkey primary key (only_one),
    constraint cache_seal_only_one check (only_one),
    constraint cache_seal_key_length check (octet_length(seal_key) = 64)
);

-- From the server's own strong randomness: 122 bits each.
insert into cache_seal (seal_key)
select uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
    || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
