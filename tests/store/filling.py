"""Rows by the million, made by the database itself, to see what its plans do with them."""

from typing import Any

TENANT = "0" * 31 + "1"
KINDS = {
    "customer": 1,
    "payment_method": 2,
    "payment_intent": 3,
    "charge": 4,
    "refund": 5,
    "dispute": 18,
    "account": 6,
    "setup_intent": 8,
    "setup_attempt": 9,
    "payout": 12,
    "connected_account": 13,
    "account_transfer": 14,
    "transfer_reversal": 15,
    "webhook_endpoint": 19,
    "webhook_replay": 20,
    "application_fee": 21,
    "fee_refund": 22,
    "cash_transaction": 23,
    "attempt": 25,
    "settlement": 26,
    # Of these there are no versions.
    "transfer": 101,
    "tenant": 102,
    "nobody": 103,
    "api_key": 104,
    "webhook_attempt": 105,
}
# So many payments are there at least, and so many rows in every table.
FEW = 60


def digits_of(kind: str, number: int) -> str:
    """Return the digits of the object of this number."""
    return f"{KINDS[kind] << 32 | number:032x}"


def digest(number: int) -> bytes:
    """Return the digest of the idempotency key, or of the API key's first half, of this number."""
    return bytes.fromhex(f"{number:032x}")


CUSTOMER = digits_of("customer", 1)
PAYMENT_INTENT = digits_of("payment_intent", 1)
CHARGE = digits_of("charge", 1)
PAYMENT_METHOD = digits_of("payment_method", 1)
SETUP_INTENT = digits_of("setup_intent", 1)
# Half of all transfers between clients' accounts move between these two.
BUSY = (digits_of("account", 2), digits_of("account", 4))
EMAIL = "a@example.com"
CODE = "wallet"

DESTINATION, STATUS, GROUP = "ba_success", "pending", "G"
ACCOUNT, TRANSFER = digits_of("connected_account", 1), digits_of("account_transfer", 1)
ENDPOINT = digits_of("webhook_endpoint", 1)
PROCESSOR, SETTLEMENT = "acquirer", digits_of("settlement", 1)
FEE = digits_of("application_fee", 1)
SEVENTH, SEVENTH_ENDPOINT = digits_of("tenant", 7), digits_of("webhook_endpoint", 7)

_OWN = f"'{TENANT}'::uuid, false"
_ID = {kind: f"('{number:024x}' || lpad(to_hex(number), 8, '0'))::uuid" for kind, number in KINDS.items()}
# Each has a book, an account, a key, and nothing else.
_OTHER = f"{_ID['tenant']}, false"
_IS_ODD = "number % 2 = 1"
_DIGEST = "decode(lpad(to_hex(number), 32, '0'), 'hex')"
_MOMENT = "timestamptz 'epoch' + number * interval '1 second'"


def _case(condition: str, then: str, otherwise: str) -> str:
    return f"case when {condition} then {then} else {otherwise} end"


def _early(value: str, otherwise: str) -> str:
    """Return what the first rows have, and no later one: who goes through all others finds out how many."""
    return _case(f"number <= {FEW}", value, otherwise)


def _versions(*kinds: str) -> list[str]:
    return [f"object_version select {_OWN}, {_ID[kind]}, 1, number, {KINDS[kind]}, ''" for kind in kinds]


_CUSTOMER = _early(f"'{CUSTOMER}'::uuid", _ID["customer"])
# A charge of an odd number succeeded, and is its payment intent's; the first even ones are attempts at one.
_CHARGE = ", ".join(
    (
        f"charge select {_OWN}, {_ID['charge']}, 1",
        _case(_IS_ODD, "'succeeded'", "'failed'"),
        f"{_IS_ODD}, 'usd', 5",
        _case(_IS_ODD, "5", "0"),
        "0",
        _case(_IS_ODD, "1", "0"),
        _case(f"{_IS_ODD} or number > {FEW}", _ID["payment_intent"], f"'{PAYMENT_INTENT}'::uuid"),
        _CUSTOMER,
        _early(repr(GROUP), "number::text"),
    )
)
_IS_HELD = "number % 10 = 0"
# Only early ones are processing: in the end time settles all.
_IS_PROCESSING = f"number <= {FEW} and number % 10 = 4"
_PAYMENT_INTENT = ", ".join(
    (
        f"payment_intent select {_OWN}, {_ID['payment_intent']}, 1",
        _case(_IS_HELD, "'requires_capture'", _case(_IS_PROCESSING, "'processing'", "'succeeded'")),
        "'usd', 5",
        _case(_IS_HELD, "5", "0"),
        _case(f"{_IS_HELD} or {_IS_PROCESSING}", "0", "5"),
        _CUSTOMER,
    )
)
# A hold that ends at its time where the number is odd. The first even ones are between the busy accounts.
_LEDGER_TRANSFER = ", ".join(
    (
        f"ledger_transfer select {_OWN}, 0",
        _case(_IS_ODD, "2", "1"),
        f"number, {_MOMENT}, 5, 5, 5, 5, 5",
        _case(f"{_IS_ODD} or number > {FEW}", _ID["account"], f"'{BUSY[0]}'::uuid"),
        _case(_IS_ODD, f"'{BUSY[0]}'::uuid", _early(f"'{BUSY[1]}'::uuid", _ID["nobody"])),
        f"'usd', {_case(_IS_ODD, _MOMENT, 'null')}",
    )
)
# By how many there are: one a payment, two a payment, one for ten payments.
_ONE = [
    _PAYMENT_INTENT,
    _CHARGE,
    *_versions("payment_intent", "charge"),
    # Half of all attempts are made to one endpoint. The first exceptions are of one, too.
    f"webhook_attempt_filled select {_OWN}, "
    f"{_case(_IS_ODD, repr(ENDPOINT) + '::uuid', _ID['webhook_endpoint'])}, {_ID['webhook_attempt']}, "
    f"{_ID['tenant']}, 'charge.failed', number, 1, 500, null, 5, '', null, null",
    f"request_log_filled select {_OWN}, 'req_' || lpad(to_hex(number), 24, '0'), {_MOMENT}, 5, "
    "'POST', '/v1/payment_intents/pi_' || lpad(to_hex(number), 32, '0') || '/capture', 200",
    f"webhook_exception select {_early(repr(SEVENTH) + '::uuid', _ID['tenant'])}, false, "
    f"{_early(repr(SEVENTH_ENDPOINT) + '::uuid', _ID['webhook_endpoint'])}, number, 0, {_ID['charge']}, 1, "
    f"{_MOMENT}, 0",
]
_RARE = f"number <= {FEW} and {_IS_ODD}"
_EVENT_TYPE = _case(_RARE, "'charge.failed'", "'charge.succeeded'")
_TWO = [
    f"event select {_OWN}, number, {_ID['tenant']}, {_EVENT_TYPE}, {_ID['charge']}, 1, 'req', {_MOMENT}",
    f"transfer select {_OWN}, {_ID['transfer']}, number, 'capture', "
    "case number % 2 when 0 then 'hold' else 'posted' end, "
    f"'{BUSY[0]}'::uuid, '{BUSY[1]}'::uuid, 'usd', 5, {_ID['charge']}, null, now()",
    f"idempotency select {_DIGEST}, {_OWN}, 'k', '', '', 'req', now()",
    _LEDGER_TRANSFER,
]
_TENTH = [
    f"customer select {_OWN}, {_ID['customer']}, 1, false, {_early(repr(EMAIL), 'number::text')}",
    f"payment_method select {_OWN}, {_ID['payment_method']}, 1, {_CUSTOMER}",
    f"refund select {_OWN}, {_ID['refund']}, 1, 'succeeded', 'usd', 5, "
    f"{_early(repr(CHARGE) + '::uuid', _ID['charge'])}, "
    f"{_early(repr(PAYMENT_INTENT) + '::uuid', _ID['payment_intent'])}, "
    f"{_early('number', 'null')}",
    f"dispute select {_OWN}, {_ID['dispute']}, 1, 'needs_response', 5, 0, "
    f"{_early('number', 'null')}, 'usd', {_early(repr(CHARGE) + '::uuid', _ID['charge'])}, "
    f"{_early(repr(PAYMENT_INTENT) + '::uuid', _ID['payment_intent'])}",
    f"setup_intent select {_OWN}, {_ID['setup_intent']}, 1, 'succeeded', "
    f"{_early(repr(PAYMENT_METHOD) + '::uuid', _ID['payment_method'])}, {_CUSTOMER}",
    f"setup_attempt select {_OWN}, {_ID['setup_attempt']}, 1, 'succeeded', "
    f"{_early(repr(SETUP_INTENT) + '::uuid', _ID['setup_intent'])}",
    f"payout select {_OWN}, {_ID['payout']}, 1, {_early(repr(STATUS), repr('paid'))}, "
    f"{_early('number', 'null')}, 'usd', 5, {_early(repr(DESTINATION), 'number::text')}",
    f"connected_account select {_OWN}, {_ID['connected_account']}, 1, 'US'",
    f"account_transfer select {_OWN}, {_ID['account_transfer']}, 1, 0, 'usd', 5, "
    f"{_early(repr(ACCOUNT) + '::uuid', _ID['connected_account'])}, null, "
    f"{_early(repr(GROUP), 'number::text')}",
    f"transfer_reversal select {_OWN}, {_ID['transfer_reversal']}, 1, 'usd', 5, "
    f"{_early(repr(TRANSFER) + '::uuid', _ID['account_transfer'])}",
    f"webhook_endpoint select {_OWN}, {_ID['webhook_endpoint']}, 1, 'enabled', false",
    f"webhook_endpoint select {_OTHER}, {_ID['webhook_endpoint']}, 1, 'enabled', false",
    *(
        f"{table} select {scope}, {_ID['webhook_endpoint']}, {values}"
        for scope in (_OWN, _OTHER)
        for table, values in (
            ("webhook_cursor", "null, 1"),
            ("webhook_position", f"1, 1, number, 0, 0, 0, null, null, {_ID['nobody']}, 0, 0, 0, number"),
        )
    ),
    f"webhook_replay select {_OWN}, {_ID['webhook_replay']}, 1, "
    f"{_early(repr(ENDPOINT) + '::uuid', _ID['webhook_endpoint'])}",
    f"object_version select {_OTHER}, {_ID['webhook_endpoint']}, 1, number, {KINDS['webhook_endpoint']}, ''",
    f"application_fee select {_OWN}, {_ID['application_fee']}, 1, 0, 'usd', 5, "
    f"{_ID['connected_account']}, {_early(repr(CHARGE) + '::uuid', _ID['charge'])}",
    f"fee_refund select {_OWN}, {_ID['fee_refund']}, 1, 'usd', 5, "
    f"{_early(repr(FEE) + '::uuid', _ID['application_fee'])}",
    f"cash_transaction select {_OWN}, {_ID['cash_transaction']}, 1, 'funded', 'usd', 5, {_CUSTOMER}, "
    "null, null",
    f"attempt select {_OWN}, {_ID['attempt']}, 1, {_early(repr('open'), repr('approved'))}, "
    f"{_early('5', '0')}, {_early('number', 'null')}, 5, 'usd', "
    f"{_early(repr(PAYMENT_INTENT) + '::uuid', _ID['payment_intent'])}, 'refund'",
    f"settlement select {_OWN}, {_ID['settlement']}, 1, 'open', 1, 5, 1, 4, 5, 0, 0, "
    f"{_early(repr(PROCESSOR), 'number::text')}, 'usd'",
    f"settlement_row select {_OWN}, {_early(repr(SETTLEMENT) + '::uuid', _ID['settlement'])}, "
    "number, number, decode(lpad(to_hex(number), 32, '0'), 'hex'), "
    "'payment', null, null, 5, 1, 4, '2026-01-02', 'duplicate'",
    f"balance select {_OTHER}, {_ID['tenant']}, 1, {_ID['transfer']}, 0, 0",
    *_versions(
        "customer",
        "payment_method",
        "refund",
        "dispute",
        "account",
        "setup_intent",
        "setup_attempt",
        "payout",
        "connected_account",
        "account_transfer",
        "transfer_reversal",
        "webhook_endpoint",
        "webhook_replay",
        "application_fee",
        "fee_refund",
        "cash_transaction",
        "attempt",
        "settlement",
    ),
    f"account select {_OWN}, {_ID['account']}, {_early(repr(CODE), 'number::text')}, 'usd', 'C', 0, 0, 0, 0, "
    "null",
    f"search_entry select {_OWN}, 3, {_ID['payment_intent']}, number, array[1, number]",
    f"ledger_expiry select {_OWN}, number, 0, {_MOMENT} where {_IS_ODD}",
    f"tenant select {_ID['tenant']}, number, sha256(''), now()",
    f"book (tenant_id, livemode) select {_OTHER}",
    f"account select {_OTHER}, {_ID['tenant']}, 'fees', 'usd', 'C', 0, 0, 0, 0, null",
    f"api_key select {_OTHER}, {_ID['api_key']}, 'secret', {_DIGEST} || {_DIGEST}, 'last', now()",
    f"signing_secret select {_OTHER}, {_ID['api_key']}, {_ID['api_key']}, repeat(' ', 29)::bytea, "
    "repeat('k', 16), now()",
    f"processor select {_OTHER}, {_early(repr('stripe'), 'number::text')}, {_ID['api_key']}, 'http', "
    "'https://a', repeat(' ', 29)::bytea, repeat('k', 16)",
    f"payment_method_token select {_OTHER}, {_ID['payment_method']}, 'stripe', repeat(' ', 29)::bytea, "
    "repeat('k', 16)",
]


async def fill(connection: Any, before: int, payments: int) -> None:
    """Write what so many payments and their surroundings come to, without looking at what they refer to.

    `before` were written already; at first, that is 0. No statistics are made of any of it. For half a
    million payments there are a million rows in each of object_version, event, transfer, idempotency and
    ledger_transfer, half as many in payment_intent and charge, and a twentieth in all others.
    """
    # The driver's connection has no types.
    async with connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        if not before:
            await connection.execute(_PARTITION)
            for (table,) in await connection.fetch(_TABLES):
                await connection.execute(f"alter table {table} set (autovacuum_enabled = false)")
            # Written in two thirds of the time, and read as any other.
            for statement in _TWO + _ONE:
                await connection.execute(f"alter table {statement.split()[0]} set unlogged")
            await connection.execute(f"insert into book (tenant_id, livemode) values ({_OWN})")
        for statements, first, last in (
            (_ONE, before, payments),
            (_TWO, 2 * before, 2 * payments),
            (_TENTH, min(before, max(before // 10, FEW)), max(payments // 10, FEW)),
        ):
            for statement in statements:
                head, where, condition = statement.partition(" where ")
                await connection.execute(f"insert into {head} {_FROM}{where}{condition}", first + 1, last)


_FROM = "from generate_series($1::bigint, $2::bigint) as number"
_TABLES = "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
# Their identifiers begin with no time, and what is logged has any.
_PARTITION = (
    "create table webhook_attempt_filled partition of webhook_attempt "
    f"for values from ('{'0' * 32}') to ('{'0' * 11}1{'0' * 20}'); "
    "create table request_log_filled partition of request_log default"
)
