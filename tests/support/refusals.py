"""Requests that must be refused, and what has to hold of each refusal."""

import asyncio
import itertools
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import asyncpg
import httpx

from benchmarks.load.machine import TABLES_OF_INSTANCES
from tests.support.tenants import Tenant

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
INTEGER = "parameter_invalid_integer"
UNKNOWN = "parameter_unknown"
MISSING = "parameter_missing"
EMPTY = "parameter_invalid_empty"
TYPES = {400: "invalid_request_error", 402: "card_error"}

_KEYS = itertools.count(1)


@dataclass(frozen=True)
class Bad:
    """A request, and the status, code and param that it must be answered with."""

    path: str
    content: bytes = b""
    content_type: str | None = FORM
    method: str = "POST"
    status: int = 400
    code: str | None = None
    param: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


# Payouts take their steps, refunds settle or fail, and events tell of what became available.
_BUSY = """
select exists (select from payout where due_at is not null) or exists (
    select
    from account
    left join balance using (tenant_id, livemode)
    where account.code = 'available'
    group by tenant_id, livemode, balance.credited
    having sum(account.credits_posted) > coalesce(balance.credited, 0)
)
or exists (select from refund where changes_at <= extract(epoch from now()) + 5)
or exists (select from dispute where changes_at <= extract(epoch from now()) + 5)
"""


# A partition's rows are those of its table.
_TABLES = """
select relname
from pg_class
where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') and not relispartition
order by 1
"""


class Database:
    """The database of a running server, seen from beside."""

    def __init__(self, database_url: str) -> None:
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(database_url))
        self.tables = [str(row[0]) for row in self.fetch(_TABLES)]
        counted = [table for table in self.tables if table not in TABLES_OF_INSTANCES]
        parts = [f"select '{table}', count(*) from {table}" for table in counted]
        parts.append("select 'changes', coalesce(sum(sequence), 0) from book")
        parts.append(f"select 'busy', ({_BUSY})::integer")
        self._counting = " union all ".join(parts)

    def fetch(self, query: str, *values: Any) -> list[Any]:
        """Run one query."""
        return list(self._runner.run(self._connection.fetch(query, *values)))

    def counts(self) -> dict[str, int]:
        """Return how many rows each table has, and how many changes all books have seen.

        Wait for what time brings about by itself.
        """
        while True:
            counts = {str(name): int(count) for name, count in self.fetch(self._counting)}
            if not counts.pop("busy"):
                return counts
            time.sleep(0.05)

    def settle(self) -> None:
        """Wait for what time brings about by itself."""
        while self.fetch(_BUSY)[0][0]:
            time.sleep(0.05)

    def dump(self) -> str:
        """Return every row of every table as text, binary columns with what they say in them."""
        lines: list[str] = []
        for table in self.tables:
            for row in self.fetch(f"select * from {table}"):
                values = [bytes(value) if isinstance(value, bytes | memoryview) else value for value in row]
                lines.append(f"{table} {values!r}")
        return "\n".join(lines)

    def close(self) -> None:
        """End the connection."""
        self._runner.run(self._connection.close())
        self._runner.close()


def encode(fields: Mapping[str, str]) -> bytes:
    """Return fields as a form, with the brackets as they are."""
    return "&".join(f"{quote(name, safe='[]')}={quote(value)}" for name, value in fields.items()).encode()


def send(http: httpx.Client, key: str | None, bad: Bad, **more: str) -> httpx.Response:
    """Send the request."""
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    if bad.content_type is not None and bad.method == "POST":
        headers["Content-Type"] = bad.content_type
    return http.request(
        bad.method, bad.path, content=bad.content or None, headers={**headers, **bad.headers, **more}
    )


def check_refused(http: httpx.Client, tenant: Tenant, database: Database, bad: Bad) -> dict[str, Any]:
    """Send a bad request; hold its answer, its effect (none) and its key (not used up). Return the error."""
    before = database.counts()
    key = f"refused {next(_KEYS)}"
    keyed = {"Idempotency-Key": key} if bad.method == "POST" else {}
    answer = send(http, tenant.secret, bad, **keyed)
    error = check_error(answer, bad.status)
    told = (error.get("code"), error.get("param"))
    assert told == (bad.code, bad.param), error
    assert database.counts() == before
    if keyed:
        assert "idempotent-replayed" not in answer.headers
        made = http.post("/v1/customers", headers={"Authorization": f"Bearer {tenant.secret}", **keyed})
        assert made.status_code == 200, made.text
        assert "idempotent-replayed" not in made.headers
    return error


def check_error(answer: httpx.Response, status: int, *, kind: str | None = None) -> dict[str, Any]:
    """Hold an answer to the form that every refusal has, and return the error in it.

    `kind` is the error's type, where it is not the one that usually goes with the status.
    """
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["request-id"].startswith("req_")
    assert answer.headers["cache-control"] == "private, no-store"
    body = answer.json()
    assert set(body) == {"error"}
    error = body["error"]
    assert isinstance(error, dict)
    assert error["message"]
    assert error["type"] == (kind or TYPES.get(status, "invalid_request_error"))
    return error


def form(path: str, /, *, code: str | None = None, param: str | None = None, **fields: str) -> Bad:
    """Return a bad form."""
    return Bad(path, encode(fields), code=code, param=param)


def raw(path: str, content: bytes, *, code: str | None = None, param: str | None = None) -> Bad:
    """Return a bad body of a form."""
    return Bad(path, content, code=code, param=param)


def text(path: str, content: str | bytes, *, code: str | None = None, param: str | None = None) -> Bad:
    """Return a bad JSON body."""
    return Bad(path, content.encode() if isinstance(content, str) else content, JSON, code=code, param=param)


def query(path: str, *, code: str | None = None, param: str | None = None) -> Bad:
    """Return a bad query."""
    return Bad(path, method="GET", code=code, param=param)
