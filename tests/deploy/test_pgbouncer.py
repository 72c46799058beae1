"""PgBouncer as the file in deploy/ sets it up: an instance signs in to it, and is paid through it."""

import asyncio
import signal
import urllib.parse
from pathlib import Path

import pytest

from fastpay.operations.embedded import children
from fastpay.operations.embedded.account import choose_account, make_directory
from tests.support.api import open_client
from tests.support.books import check_database
from tests.support.pgbouncer import find_pgbouncer
from tests.support.proxies import rewrite
from tests.support.servers import NUMBERS, PATIENCE_SECONDS, SpawnServer, fetch, free_port
from tests.support.tenants import make_tenant
from tests.support.tree import ROOT

PAY = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
PASSWORD = "a-password"


@pytest.mark.skipif(find_pgbouncer() is None, reason="pgbouncer is not installed (Debian package pgbouncer)")
def test_an_instance_behind_pgbouncer(spawn_server: SpawnServer, database_url: str, scratch: Path) -> None:
    place, port = scratch / f"bouncer{next(NUMBERS)}", free_port()
    account = choose_account(scratch / "shared" / "postgresql")
    make_directory(place, account)
    parts = urllib.parse.urlsplit(database_url)
    (folder,) = urllib.parse.parse_qs(parts.query)["host"]
    text = rewrite(
        (ROOT / "deploy/pgbouncer/pgbouncer.ini").read_text(encoding="utf-8"),
        {
            "fastpay = host=127.0.0.1 port=5432 dbname=fastpay": (
                f"fastpay = host={folder} dbname={parts.path.removeprefix('/')}"
            ),
            "listen_port = 6432": f"listen_port = {port}\nunix_socket_dir = {place}",
            "/etc/pgbouncer/userlist.txt": str(place / "userlist.txt"),
        },
    )
    (place / "pgbouncer.ini").write_text(text, encoding="utf-8")
    (place / "userlist.txt").write_text(f'"fastpay" "{PASSWORD}"\n', encoding="utf-8")
    program, log = find_pgbouncer(), place.with_suffix(".log")
    assert program is not None
    process = children.launch(
        (program, str(place / "pgbouncer.ini")), account=account, log=log, death_signal=signal.SIGKILL
    )
    try:
        ready = f"listening on 127.0.0.1:{port}"
        assert children.wait_until(
            lambda: ready in log.read_text(encoding="utf-8"), timeout_ms=PATIENCE_SECONDS * 1000
        ), log.read_text(encoding="utf-8")
        url = f"postgresql://fastpay:{PASSWORD}@127.0.0.1:{port}/fastpay"
        server = spawn_server(
            environment={"FASTPAY_DATABASE_URL": url, "FASTPAY_TRANSACTION_POOLING": "true"}
        )
        with open_client(server.url, make_tenant(database_url).secret) as client:
            paid = [client.post("/v1/payment_intents", data=PAY).json()["status"] for _ in range(5)]
        assert paid == ["succeeded"] * 5
        assert server.stop() == 0
    finally:
        process.kill()
        process.wait()
    (found,) = fetch(database_url, "select count(*) from payment_intent where status = 'succeeded'")
    assert found[0] == 5
    asyncio.run(check_database(database_url))
