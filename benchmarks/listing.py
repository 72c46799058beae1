"""Pages of charges and of events, from the rows that the database returns to the body of the answer.

The rows are the driver's, of payments that were decided here. The rest is the application as it is served.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import uvloop
from asyncpg.pgproto.pgproto import UUID
from asyncpg.protocol.protocol import _create_record

from benchmarks import samples
from benchmarks.in_memory import loop_apart
from fastpay.api.app import RESOURCES, create_app
from fastpay.api.context import Services
from fastpay.clock import SystemClock
from fastpay.domain import events, kinds
from fastpay.domain.identifiers import Scope, digits
from fastpay.engine.challenge_ports import ChallengeTokens
from fastpay.engine.dependencies import Readiness
from fastpay.engine.feeds import Feeds
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ledger_ports import Ledger
from fastpay.engine.ports import Credentials, Writer
from fastpay.engine.read.reader import Reader
from fastpay.store import rows
from fastpay.store.events import PostgresEvents
from fastpay.store.pool import ReaderPool
from fastpay.store.reads import PostgresReads
from fastpay.store.statements import SQL

_LISTED = 100
_HEADERS = [(b"host", b"localhost:8000"), (b"authorization", b"Bearer sk_test_" + b"0" * 32)]
_NUMBERS = {kind.struct: kind.number for kind in kinds.STORED.values()}
_CHARGE_COLUMNS = ("version", "sequence", "kind", "snapshot")
_EVENT_COLUMNS = (
    *("ordinal", "last_sequence", "sequence", "event_id", "type", "version", "request_id", "created_s"),
    *("version_sequence", "kind", "snapshot", "previous_snapshot"),
)


class _Keys:
    """Believes every key."""

    async def authenticate(self, key: str, *, client: str | None = None) -> Credentials | None:
        return self.known(key)

    def known(self, key: str) -> Credentials | None:
        return Credentials(scope=samples.SCOPE, kind="secret", fingerprint_key=b"k" * 32)

    def believed_until_ns(self, key: str) -> int:
        return 0


class _Pool:
    """A pool that nobody asks."""

    connections_max = 4
    lend = unavailable = None


class Rows(PostgresReads):
    """Returns the same rows at every call, by the statement."""

    def __init__(self, found: Mapping[str, Sequence[rows.Row]]) -> None:
        super().__init__(cast(ReaderPool, _Pool()), cast(ReaderPool, _Pool()))
        self._found = {SQL[name]: list(found_rows) for name, found_rows in found.items()}

    async def fetch_for(
        self, scope: Scope, statement: str, *arguments: Any, scans: bool = False
    ) -> list[rows.Row]:
        """Return the rows."""
        return self._found[statement]


@contextmanager
def pages() -> Iterator[dict[str, Callable[[], bytes]]]:
    """Give functions that ask for a page and return the body, by name."""
    clock, store = SystemClock(), Rows(_rows())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        app = create_app(
            Services(
                writer=cast(Writer, None),
                reader=Reader(store, clock=clock),
                ledger=cast(Ledger, None),
                events=PostgresEvents(store),
                feeds=cast(Feeds, None),
                keys=_Keys(),
                challenges=cast(ChallengeTokens, None),
                clock=clock,
                identifiers=IdentifierFactory(clock),
                readiness=Readiness(),
                resources=RESOURCES,
            )
        )

        def get(path: str, query: bytes) -> bytes:
            sent: list[MutableMapping[str, Any]] = []
            scope = {"type": "http", "method": "GET", "path": path, "query_string": query}
            scope |= {"headers": _HEADERS, "scheme": "http"}

            async def send(message: MutableMapping[str, Any]) -> None:
                sent.append(message)

            async def ask() -> None:
                await app(scope, _receive, send)

            with loop_apart():
                runner.run(ask())
            assert sent[0]["status"] == 200
            return cast(bytes, sent[1]["body"])

        yield {
            "a page of 100 charges": lambda: get("/v1/charges", b"limit=100"),
            "a page of 100 events": lambda: get("/v1/events", b"limit=100&after_sequence=0"),
        }


async def _receive() -> MutableMapping[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _rows() -> dict[str, list[rows.Row]]:
    """Return the rows of a page and the extra one, of each list."""
    workspace, command = samples.new_workspace(), samples.new_command()
    charges: list[tuple[object, ...]] = []
    happened: list[tuple[object, ...]] = []
    for number in range(_LISTED + 1):
        draft = samples.decide(workspace, command, number)
        workspace.merge(draft)
        shown: dict[str, tuple[object, ...]] = {}
        for one in draft.versions:
            kind = _NUMBERS[type(one.object)]
            shown[one.object.id] = (one.sequence, kind, rows.encode(one.object))
            if kind == kinds.CHARGE.number:
                charges.append((one.version, *shown[one.object.id]))
        happened += [
            (
                *(1, None, event.sequence, UUID(digits(event.id)), event.type, event.version),
                *(f"req_{number:024}", samples.MOMENT_MS // 1000, *shown[event.object_id], None),
            )
            for event in draft.events
            if event.type in events.TYPES
        ]
    book = (1, happened[-1][2], *[None] * 10)
    return {
        "list_charges": records(_CHARGE_COLUMNS, charges[::-1]),
        # The first page of a tenant is read with its endpoints, which are none, and the others without.
        **dict.fromkeys(
            ("list_events_up", "list_events_with_endpoints_up"),
            records(_EVENT_COLUMNS, [book, *happened[_LISTED::-1]]),
        ),
    }


def records(columns: Sequence[str], found: Sequence[tuple[object, ...]]) -> list[rows.Row]:
    names = {name: index for index, name in enumerate(columns)}
    return [_create_record(names, row) for row in found]
