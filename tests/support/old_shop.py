"""An older payment API as a process of its own: Flask on gunicorn, with its own book in SQLite.

It knows customers and payments of the dialect, and keeps idempotency keys as such APIs do: the first answer
is stored in the transaction of its effect.
"""

import contextlib
import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flask import Flask, Response, request

from tests.support.servers import PATIENCE_SECONDS, clean_environment, free_port

_PATH = "OLD_SHOP_BOOK"
_SCHEMA = """
create table if not exists customer (id text primary key, email text);
create table if not exists payment (id text primary key, customer text, order_number text);
create table if not exists answer (key text primary key, body text);
"""


def create_app() -> Flask:
    """Return the application of a worker."""
    app = Flask(__name__)
    book = os.environ[_PATH]

    def write(kind: str, columns: tuple[str, ...]) -> Response:
        made: dict[str, Any] = {"id": f"{kind}_Old{secrets.token_hex(8)}"}
        made |= {name.partition("[")[0]: request.form.get(name) for name in columns}
        table = "customer" if kind == "cus" else "payment"
        key = request.headers.get("Idempotency-Key", secrets.token_hex(8))
        with contextlib.closing(_open(book)) as connection, connection:
            connection.execute("begin immediate")
            first = connection.execute("select body from answer where key = ?", (key,)).fetchone()
            if first is not None:
                return Response(first[0], mimetype="application/json")
            marks = ", ".join("?" * len(made))
            connection.execute(f"insert into {table} values ({marks})", tuple(made.values()))
            body = json.dumps(made)
            connection.execute("insert into answer values (?, ?)", (key, body))
        return Response(body, mimetype="application/json")

    @app.post("/v1/customers")
    def make_customer() -> Response:
        return write("cus", ("email",))

    @app.post("/v1/payment_intents")
    def make_payment() -> Response:
        return write("pi", ("customer", "metadata[order]"))

    @app.get("/v1/charges")
    def list_charges() -> dict[str, Any]:
        return {"object": "list", "data": []}

    return app


class OldShop:
    """The process, which may be killed and started again."""

    def __init__(self, place: Path) -> None:
        self.book = place / "book.sqlite"
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        with contextlib.closing(_open(str(self.book))) as connection:
            connection.executescript(_SCHEMA)

    def start(self) -> None:
        """Start it, and return once it answers."""
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--bind",
            f"127.0.0.1:{self._port}",
            "--log-level",
            "error",
        ]
        command += ["--worker-class", "gthread", "--threads", "4", "--keep-alive", "5"]
        self._process = subprocess.Popen(
            [*command, "tests.support.old_shop:create_app()"],
            env=clean_environment(**{_PATH: str(self.book)}),
            start_new_session=True,
        )
        end_s = time.monotonic() + PATIENCE_SECONDS
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{self.url}/v1/charges", timeout=PATIENCE_SECONDS).read()
                return
            assert time.monotonic() < end_s, "the older API did not start"
            time.sleep(0.05)

    def kill(self) -> None:
        """End all of it without giving it a chance."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE_SECONDS)
            self._process = None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query on its book."""
        with contextlib.closing(_open(str(self.book))) as connection:
            return connection.execute(query).fetchall()


@contextlib.contextmanager
def running_shop(place: Path) -> Iterator[OldShop]:
    """Run one for the block."""
    shop = OldShop(place)
    shop.start()
    try:
        yield shop
    finally:
        shop.kill()


def _open(book: str) -> sqlite3.Connection:
    connection = sqlite3.connect(book, timeout=PATIENCE_SECONDS, isolation_level=None)
    connection.execute("pragma journal_mode = wal")
    return connection
