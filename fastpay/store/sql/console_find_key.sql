-- Whose an API key is.
-- $1 key_id uuid
select book.tenant_id, book.livemode
from book
where exists (
    select
    from api_key
    where api_key.tenant_id = book.tenant_id and api_key.livemode = book.livemode and api_key.key_id = $1::uuid
)
limit 1
