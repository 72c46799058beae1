"""Payments by the million, written by the database itself as copies of a real one, with all that it has.

A copy has identifiers, a place in its merchant's sequence and an idempotency key of its own; snapshots and
answers name the copies. The merchant's book and accounts move as far as the copies say, so that the books
hold against themselves afterwards. Only the search index is left out: it is told that it has them.
"""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

_STEP = 10_000
_EVENTS = 3
_DAY_MS = 86_400_000
# So many copies in a millisecond: their identifiers say when they were made.
_PER_MS = 100
# What has to stay free on the disk, for the log and for what is measured after.
FREE_BYTES_MIN = 8 << 30

_COLUMNS = """
select column_name from information_schema.columns
where table_schema = 'public' and table_name = $1
order by ordinal_position
"""
_ADVANCE_BOOK = "update book set sequence = sequence + $3 where tenant_id = $1 and livemode = $2"
_MOVE_ACCOUNTS = """
update account
set debits_posted = debits_posted + $3::bigint * moved.debits,
    credits_posted = credits_posted + $3::bigint * moved.credits
from (
    select account_id, sum(debit)::bigint as debits, sum(credit)::bigint as credits
    from transfer, lateral (
        values (debit_account_id, amount, 0), (credit_account_id, 0, amount)
    ) as side (account_id, debit, credit)
    where source_id = $4
    group by account_id
) as moved
where account.tenant_id = $1 and account.livemode = $2 and account.account_id = moved.account_id
"""
_SKIP_SEARCH = """
insert into search_progress (tenant_id, livemode, sequence)
select tenant_id, livemode, sequence from book where tenant_id = $1 and livemode = $2
on conflict (tenant_id, livemode) do update set sequence = excluded.sequence
"""


class Bounds(msgspec.Struct, frozen=True):
    """When filling stops, however much is stored by then."""

    seconds_max: float
    directory: Path
    free_bytes_min: int = FREE_BYTES_MIN


class _Model(msgspec.Struct, frozen=True):
    """The payment that is copied, and where the copies begin."""

    tenant_id: UUID
    livemode: bool
    intent_id: UUID
    method_id: UUID
    charge_id: UUID
    digest: bytes
    # Of the model's last event, and of the merchant's book when copying began.
    sequence: int
    book_sequence: int
    first: int
    begun_ms: int


async def store(
    url: str, payment: str, first: int, last: int, bounds: Bounds, advance: Callable[[int], None]
) -> int:
    """Store copies number `first` to `last` of a payment, and return how many of them it became.

    Nothing else may write for the merchant meanwhile. `first` is beyond what earlier calls have stored.
    """
    async with asyncpg.create_pool(url, min_size=1, max_size=2) as pool:
        model = await _read_model(pool, payment, first)
        statements = await _statements(pool, model)
        stop, steps = time.monotonic() + bounds.seconds_max, _steps(first, last)
        done = 0

        async def work() -> None:
            nonlocal done
            for start, end in steps:
                await _copy(pool, statements, start, end)
                done += end - start + 1
                advance(end - start + 1)
                free = shutil.disk_usage(bounds.directory).free
                if time.monotonic() > stop or free < bounds.free_bytes_min:
                    return

        # Steps are taken in order, so that both end at one place and the sequence has no gap.
        await asyncio.gather(work(), work())
        await _move_books(pool, model, done)
        return done


def _steps(first: int, last: int) -> Iterator[tuple[int, int]]:
    for start in range(first, last + 1, _STEP):
        yield start, min(last, start + _STEP - 1)


async def _read_model(pool: Any, payment: str, first: int) -> _Model:
    intent_id = UUID(payment.removeprefix("pi_"))
    charge = await pool.fetchrow("select * from charge where payment_intent_id = $1", intent_id)
    scope = (charge["tenant_id"], charge["livemode"])
    # The card's first version was written with the payment.
    sequence, method_id = await pool.fetchrow(
        "select intent.sequence, method.object_id from object_version as intent "
        "join object_version as method using (tenant_id, livemode, sequence) "
        "where intent.object_id = $1 and intent.version = 1 and method.kind = 2",
        intent_id,
    )
    digest = await pool.fetchval(
        "select digest from idempotency where position(convert_to($1, 'UTF8') in answer) > 0", intent_id.hex
    )
    book_sequence = await pool.fetchval(
        "select sequence from book where tenant_id = $1 and livemode = $2", *scope
    )
    begun_ms = (intent_id.int >> 80) - _DAY_MS
    objects = (intent_id, method_id, charge["charge_id"], digest)
    return _Model(*scope, *objects, sequence, book_sequence, first, begun_ms)


def _digits(model: _Model, kind: int) -> str:
    """Return the SQL of an identifier's digits: a UUID of version 7, ordered by its number."""
    moment = f"lpad(to_hex({model.begun_ms} + number / {_PER_MS}), 12, '0')"
    return f"{moment} || '70{kind:02x}8' || lpad(to_hex(number), 15, '0')"


def _tables(model: _Model, transfers: dict[UUID, str]) -> dict[str, tuple[str, dict[str, str]]]:
    """Return for each table which rows are the model's, and the columns in which a copy differs."""
    intent, method, charge = (_digits(model, kind) for kind in (1, 2, 3))
    ours = {model.intent_id: intent, model.method_id: method, model.charge_id: charge}
    cases = " ".join(f"when '{own}'::uuid then ({digits})::uuid" for own, digits in ours.items())
    # Of the model's events the last has its sequence; so it is with each copy.
    last = f"{model.book_sequence} + (number - {model.first} + 1) * {_EVENTS}"
    objects = f"object_id in ({', '.join(repr(str(own)) for own in ours)})"
    kind = f"lpad(to_hex(16 + {model.sequence} - sequence), 2, '0')"
    events = f"overlay(({_digits(model, 6)}) placing {kind} from 15)"
    moved = " ".join(f"when '{own}'::uuid then ({digits})::uuid" for own, digits in transfers.items())
    return {
        "payment_method": (
            f"payment_method_id = '{model.method_id}'",
            {"payment_method_id": f"({method})::uuid"},
        ),
        "payment_intent": (
            f"payment_intent_id = '{model.intent_id}'",
            {"payment_intent_id": f"({intent})::uuid"},
        ),
        "charge": (
            f"charge_id = '{model.charge_id}'",
            {"charge_id": f"({charge})::uuid", "payment_intent_id": f"({intent})::uuid"},
        ),
        "object_version": (
            f"{objects} and version = 1",
            {
                "object_id": f"case object_id {cases} end",
                "sequence": last,
                "snapshot": _renamed("snapshot", {**ours, **transfers}),
            },
        ),
        "transfer": (
            f"transfer_id in ({', '.join(repr(str(own)) for own in transfers)})",
            {
                "transfer_id": f"case transfer_id {moved} end",
                "source_id": f"({charge})::uuid",
                "sequence": last,
            },
        ),
        "event": (
            f"{objects} and sequence between {model.sequence - _EVENTS + 1} and {model.sequence}",
            {
                "event_id": f"{events}::uuid",
                "object_id": f"case object_id {cases} end",
                "sequence": f"{last} - {model.sequence} + sequence",
            },
        ),
        "idempotency": (
            f"digest = '\\x{model.digest.hex()}'",
            {
                "digest": "decode(md5('filled' || number), 'hex')",
                "idempotency_key": "'filled-0000-0000-0000-' || lpad(number::text, 12, '0')",
                "answer": _renamed("answer", ours),
            },
        ),
    }


async def _statements(pool: Any, model: _Model) -> list[str]:
    """Return an `insert ... select` for each table; $1 and $2 are the first number and the last."""
    made = []
    for table, (where, own) in _tables(model, await _transfers(pool, model)).items():
        columns = [row["column_name"] for row in await pool.fetch(_COLUMNS, table)]
        chosen = ", ".join(own.get(column, column) for column in columns)
        made.append(
            f"insert into {table} ({', '.join(columns)}) select {chosen} "
            f"from {table}, generate_series($1::bigint, $2::bigint) as number "
            f"where tenant_id = '{model.tenant_id}' and livemode = {model.livemode} and {where}"
        )
    return made


async def _transfers(pool: Any, model: _Model) -> dict[UUID, str]:
    """Return the model's transfers, which its charge names, with the digits of the copies'."""
    rows = await pool.fetch("select transfer_id from transfer where source_id = $1", model.charge_id)
    return {row["transfer_id"]: _digits(model, kind) for kind, row in enumerate(rows, start=4)}


def _renamed(column: str, names: dict[UUID, str]) -> str:
    """Return the SQL of bytes in which identifiers give way to others of the same length."""
    text = f"encode({column}, 'escape')"
    for own, digits in names.items():
        text = f"replace({text}, '{own.hex}', {digits})"
    return f"decode({text}, 'escape')"


async def _copy(pool: Any, statements: list[str], start: int, end: int) -> None:
    async with pool.acquire() as connection, connection.transaction():
        # What the rows refer to is written by the same transaction: nobody has to look.
        await connection.execute("set local session_replication_role = replica")
        await connection.execute("set local synchronous_commit = off")
        # Planned while the tables were small, a look at all rows would stay the plan when they are not.
        await connection.execute("set local enable_seqscan = off")
        for statement in statements:
            await connection.execute(statement, start, end)


async def _move_books(pool: Any, model: _Model, count: int) -> None:
    """Move the merchant's book and accounts as far as so many copies say."""
    scope = (model.tenant_id, model.livemode)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_ADVANCE_BOOK, *scope, count * _EVENTS)
        await connection.execute(_MOVE_ACCOUNTS, *scope, count, model.charge_id)
        await connection.execute(_SKIP_SEARCH, *scope)
