"""The SQL of the FastAPI peer, over fastpay's tables: one row a statement where a request has one row."""

FIND_KEY = """
select api_key.tenant_id, api_key.livemode, book.fee_basis_points, book.fee_fixed
from api_key
join book on book.tenant_id = api_key.tenant_id and book.livemode = api_key.livemode
where api_key.key_hash = $1 and api_key.revoked_at is null
    and (api_key.expires_at is null or api_key.expires_at > now())
"""

CLAIM_KEY = """
insert into idempotency (
    digest, tenant_id, livemode, idempotency_key, fingerprint, answer, request_id, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8)
on conflict do nothing
returning true
"""

FIRST_ANSWER = """
select fingerprint, answer, request_id from idempotency where digest = $1 and tenant_id = $2 and livemode = $3
"""

INSERT_METHOD = """
insert into payment_method (tenant_id, livemode, payment_method_id, version) values ($1, $2, $3, 1)
"""

INSERT_INTENT = """
insert into payment_intent (
    tenant_id, livemode, payment_intent_id, version, status, currency, amount, amount_capturable,
    amount_received
)
values ($1, $2, $3, 1, 'succeeded', $4, $5, 0, $5)
"""

INSERT_CHARGE = """
insert into charge (
    tenant_id, livemode, charge_id, version, status, captured, currency, amount, amount_captured,
    amount_refunded, fee, payment_intent_id
)
values ($1, $2, $3, 1, 'succeeded', true, $4, $5, $5, 0, $6, $7)
"""

ADVANCE_BOOK = """
update book set sequence = sequence + $3 where tenant_id = $1 and livemode = $2 returning sequence
"""

# Opens an account on its first use; the rows come in the order in which everybody locks them.
MOVE_ACCOUNTS = """
insert into account (
    tenant_id, livemode, account_id, code, currency, normal_side, debits_posted, credits_posted,
    debits_pending, credits_pending
)
select $1, $2, moved.account_id, moved.code, $3, moved.normal_side, moved.debits, moved.credits, 0, 0
from unnest($4::uuid[], $5::text[], $6::text[], $7::bigint[], $8::bigint[])
    as moved (account_id, code, normal_side, debits, credits)
on conflict (tenant_id, livemode, account_id) do update
set debits_posted = account.debits_posted + excluded.debits_posted,
    credits_posted = account.credits_posted + excluded.credits_posted
"""

INSERT_VERSION = """
insert into object_version (tenant_id, livemode, object_id, version, sequence, kind, snapshot)
values ($1, $2, $3, $4, $5, $6, $7)
"""

INSERT_TRANSFER = """
insert into transfer (
    tenant_id, livemode, transfer_id, sequence, kind, phase, debit_account_id, credit_account_id, currency,
    amount, source_id, created_at
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""

INSERT_EVENT = """
insert into event (tenant_id, livemode, sequence, event_id, type, object_id, version, request_id, created_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""

LATEST_VERSION = """
select snapshot from object_version
where tenant_id = $1 and livemode = $2 and object_id = $3
order by version desc
limit 1
"""

# Whoever refunds the same charge waits here; its snapshot is read after, so that it is the latest.
LOCK_CHARGE = """
select charge_id, version, currency, amount_captured, amount_refunded
from charge
where tenant_id = $1 and livemode = $2 and payment_intent_id = $3 and status = 'succeeded'
for update
"""

INSERT_REFUND = """
insert into refund (
    tenant_id, livemode, refund_id, version, status, currency, amount, charge_id, payment_intent_id
)
values ($1, $2, $3, 1, 'succeeded', $4, $5, $6, $7)
"""

REFUND_CHARGE = """
update charge set version = version + 1, amount_refunded = amount_refunded + $4
where tenant_id = $1 and livemode = $2 and charge_id = $3
"""

# In the order in which everybody locks them.
LOCK_ACCOUNTS = """
select account_id, code, currency, normal_side, debits_posted, credits_posted, debits_pending,
    credits_pending, min_balance
from account
where tenant_id = $1 and livemode = $2 and account_id = any($3::uuid[])
order by account_id
for update
"""

MOVE_BETWEEN = """
update account
set debits_posted = debits_posted + case account_id when $3 then $5::bigint else 0 end,
    credits_posted = credits_posted + case account_id when $4 then $5::bigint else 0 end
where tenant_id = $1 and livemode = $2 and account_id in ($3, $4)
"""

INSERT_LEDGER_TRANSFER = """
insert into ledger_transfer (
    tenant_id, livemode, sequence, position, phase, created_at, debit_account_id, credit_account_id, currency,
    amount, debits_posted, debits_pending, credits_posted, credits_pending, metadata
)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
"""
