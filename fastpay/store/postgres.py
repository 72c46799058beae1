"""Opens and prepares connections to PostgreSQL."""

from typing import Any

import asyncpg
import msgspec

from fastpay import limits
from fastpay._native.arrays import ArrayType
from fastpay.store.statement_times import TimedConnection

# A connection of asyncpg, which has no types.
Connection = Any

# Every hot statement has one good plan, by index. The planner must not choose another plan while a table is
# empty and keep it while the table grows.
_PLANNER = (
    "set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off; "
    "set enable_bitmapscan = off; set enable_memoize = off; set plan_cache_mode = force_generic_plan; "
    "set jit = off"
)

# The array types of parameters, by their OIDs, which never change.
_ARRAYS = {
    1000: ArrayType("boolean"),
    1001: ArrayType("bytea"),
    1005: ArrayType("smallint"),
    1007: ArrayType("integer"),
    1009: ArrayType("text"),
    1016: ArrayType("bigint"),
    1185: ArrayType("timestamptz"),
    2951: ArrayType("uuid"),
}


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The address of the database, and how it is used.

    `session_state` is False behind a pooler in transaction mode: then no statement is prepared, and no
    setting is made that would have to outlive a transaction.
    """

    url: str
    session_state: bool = True
    reader_connections_max: int = limits.reader_connections_max


async def connect(
    settings: DatabaseSettings,
    *,
    statement_timeout_ms: int = limits.statement_timeout_ms,
    lock_timeout_ms: int | None = None,
) -> Connection:
    """Open a connection outside of any pool. The caller sets deadlines for its statements.

    Raises: the driver's errors.
    """
    connection = await asyncpg.connect(
        settings.url,
        timeout=limits.connect_timeout_ms / 1000,
        connection_class=TimedConnection,
        statement_cache_size=256 if settings.session_state else 0,
        server_settings={"application_name": "fastpay"},
    )
    try:
        await _prepare(
            connection, settings, statement_timeout_ms=statement_timeout_ms, lock_timeout_ms=lock_timeout_ms
        )
    except BaseException:
        connection.terminate()
        raise
    return connection


async def _prepare(
    connection: Connection,
    settings: DatabaseSettings,
    *,
    statement_timeout_ms: int,
    lock_timeout_ms: int | None,
) -> None:
    """Install our encoding of arrays, and make the session's settings if there is session state."""
    _encode_arrays(connection)
    if settings.session_state:
        await connection.execute(
            f"set statement_timeout = {statement_timeout_ms}; "
            f"set lock_timeout = {lock_timeout_ms or limits.lock_timeout_ms}; "
            # The books of an instance that is frozen or cut off are unlocked before others time out.
            f"set idle_in_transaction_session_timeout = {limits.idle_in_transaction_timeout_ms}; {_PLANNER}"
        )


def _encode_arrays(connection: Connection) -> None:
    """Replace the driver's encoding of array parameters, for which it has no public API.

    The driver checks each element for being an array, and cannot encode before the transaction begins. No
    statement returns an array.
    """
    codecs = connection._protocol.get_settings()  # noqa: SLF001
    for oid, array in _ARRAYS.items():
        codecs.add_python_codec(
            oid, f"array{oid}", "pg_catalog", (), "scalar", array.encode, _refuse_to_decode, "binary"
        )


def _refuse_to_decode(_encoded: bytes) -> None:
    raise NotImplementedError("no statement returns an array")
