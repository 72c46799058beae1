-- What processors call the cards that they keep for later payments, sealed. A token is of one processor.
create table payment_method_token (
    tenant_id uuid not null,
    livemode boolean not null,
    payment_method_id uuid not null,
    processor text not null,
    sealed bytea not null,
    sealed_under text not null,
    constraint payment_method_token_pkey primary key (tenant_id, livemode, payment_method_id),
    constraint payment_method_token_book_fkey foreign key (tenant_id, livemode) references book (tenant_id, livemode),
    constraint payment_method_token_sealed_length check (octet_length(sealed) > 28),
    constraint payment_method_token_sealed_under_length check (char_length(sealed_under) = 16)
);
