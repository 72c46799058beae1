"""Rows by the thousand, made by the database itself, to see what its plans do with them."""

from typing import Any

TENANT = "0" * 31 + "1"
KINDS = {"customer": 1, "payment_method": 2, "payment_intent": 3, "charge": 4, "refund": 5}
CUSTOMER = f"{KINDS['customer'] << 32 | 1:032x}"
PAYMENT_INTENT = f"{KINDS['payment_intent'] << 32 | 1:032x}"
CHARGE = f"{KINDS['charge'] << 32 | 1:032x}"
EMAIL = "a@example.com"


def object_digits(table: str, number: int) -> str:
    """Return the digits of the object of this number."""
    return f"{KINDS[table] << 32 | number:032x}"


def other_tenant(number: int) -> str:
    """Return the tenant of this number, who has a book and an account and nothing else."""
    return f"{9 << 32 | number:032x}"


def digest(number: int) -> bytes:
    """Return the digest of the idempotency key of this number."""
    return bytes.fromhex(f"{number:032x}")


_ID = "lpad(to_hex({kind}::bigint << 32 | number), 32, '0')::uuid"
_FROM = "from generate_series($1::bigint, $2::bigint) as number"
_OWN = f"'{TENANT}'::uuid, false"
_HEADS = {
    "customer": f"1, false, '{EMAIL}'",
    "payment_method": f"1, '{CUSTOMER}'::uuid",
    "payment_intent": f"1, 'succeeded', 'usd', 5, 0, 5, '{CUSTOMER}'::uuid",
    "charge": f"1, 'failed', false, 'usd', 5, 0, 0, 0, '{PAYMENT_INTENT}'::uuid, '{CUSTOMER}'::uuid",
    "refund": f"1, 'succeeded', 'usd', 5, '{CHARGE}'::uuid, '{PAYMENT_INTENT}'::uuid",
}
_OTHER = _ID.format(kind=9)
_SOURCE = _ID.format(kind=10)
_DIGEST = "decode(lpad(to_hex(number), 32, '0'), 'hex')"
_STATEMENTS = [
    *(
        f"insert into {table} select {_OWN}, {_ID.format(kind=KINDS[table])}, {values} {_FROM}"
        for table, values in _HEADS.items()
    ),
    *(
        f"insert into object_version select {_OWN}, {_ID.format(kind=kind)}, 1, number, {kind}, '' {_FROM}"
        for kind in KINDS.values()
    ),
    f"insert into book (tenant_id, livemode) select {_OTHER}, false {_FROM}",
    f"insert into account select {_OTHER}, false, {_OTHER}, 'fees', 'usd', 'C', 0, 0, 0, 0, null {_FROM}",
    f"insert into transfer select {_OWN}, {_ID.format(kind=8)}, number, 'capture', 'posted', {_OTHER}, "
    f"{_SOURCE}, 'usd', 5, {_SOURCE}, null, now() {_FROM}",
    f"insert into search_entry select {_OWN}, 3, {_ID.format(kind=3)}, number, array[1, number] {_FROM}",
    f"insert into idempotency select {_DIGEST}, {_OWN}, 'k', '', '', 'req', now() {_FROM}",
]


async def fill(connection: Any, first: int, last: int) -> None:
    """Write the rows of these numbers in every table, without looking at what they refer to."""
    # The driver's connection has no types.
    async with connection.transaction():
        await connection.execute("set local session_replication_role = replica")
        for statement in _STATEMENTS:
            await connection.execute(statement, first, last)
