"""Backups: copies while the database is in use, and a restore to a moment between two payments."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from fastpay.operations.backup import find_failure
from fastpay.operations.embedded import children
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.account import choose_account
from fastpay.operations.embedded.directory import DataDirectory
from tests.support.api import TRUST, ask
from tests.support.books import find_database_faults
from tests.support.servers import (
    PATIENCE_SECONDS,
    RunningServer,
    SpawnServer,
    clean_environment,
    end_server,
    execute,
    fetch,
    run_fastpay,
)
from tests.support.tenants import make_tenant

_PAYMENT = {"currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}


def _pay(server: RunningServer, secret: str, key: str) -> httpx.Response:
    return httpx.post(
        f"{server.url}/v1/payment_intents?expand[]=latest_charge",
        data=_PAYMENT | {"amount": "1999", "metadata[order]": key},
        headers={"Idempotency-Key": key},
        auth=(secret, ""),
        verify=TRUST,
    )


def _get(server: RunningServer, secret: str, path: str) -> Any:
    answer = ask(f"{server.url}{path}", auth=(secret, ""))
    assert answer.status_code == 200, answer.text
    return answer.json()


def _fingerprint(answer: httpx.Response) -> str:
    return str(answer.json()["latest_charge"]["payment_method_details"]["card"]["fingerprint"])


@contextmanager
def _streaming(server: RunningServer, backups: Path) -> Iterator[None]:
    """Receive the log for the block; return from it only when all of it is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fastpay", "backup", "stream", str(backups), "--data-dir", server.data_dir],
        env=clean_environment(),
    )
    try:
        _wait_received(server)
        yield
        _wait_received(server)
    finally:
        process.terminate()
        process.wait(PATIENCE_SECONDS)


def _wait_received(server: RunningServer) -> None:
    (now,) = fetch(server.database_url, "select pg_current_wal_flush_lsn() as place")
    query = "select from pg_stat_replication where flush_lsn >= $1"
    assert children.wait_until(
        lambda: bool(fetch(server.database_url, query, now["place"])), timeout_ms=PATIENCE_SECONDS * 1000
    )


@contextmanager
def _recovered(place: Path) -> Iterator[str]:
    """Start a PostgreSQL of one's own on what was restored, and wait as the page says."""
    account = choose_account(place / "postgresql")
    if account is not None:
        place.chmod(0o711)
        for path in (place / "postgresql", *(place / "postgresql").rglob("*")):
            os.chown(path, account.uid, account.gid, follow_symlinks=False)
    with (
        DataDirectory(place) as directory,
        run_servers(directory, with_postgres=True, with_redis=False) as servers,
    ):
        servers.wait_ready()
        url = servers.database_url
        assert url is not None
        assert children.wait_until(
            lambda: not fetch(url, "select pg_is_in_recovery()")[0][0], timeout_ms=PATIENCE_SECONDS * 1000
        )
        for name in ("recovery_target_time", "recovery_target_action", "restore_command"):
            execute(url, f"alter system reset {name}")
        yield url


def _sequences(server: RunningServer) -> list[int]:
    rows = fetch(server.database_url, "select sequence from event order by tenant_id, livemode, sequence")
    return [row["sequence"] for row in rows]


def test_the_reason_is_not_what_postgresql_tells_those_who_connect_meanwhile(tmp_path: Path) -> None:
    log = tmp_path / "postgresql.log"
    assert find_failure(log) is None
    log.write_text(
        "FATAL:  the database system is starting up\n"
        "LOG:  something else\n"
        "FATAL:  recovery ended before configured recovery target was reached\n"
        "FATAL:  the database system is in recovery mode\n"
        "FATAL:  the database system is shutting down\n"
    )
    assert find_failure(log) == "recovery ended before configured recovery target was reached"


def test_a_restore_to_a_moment_between_two_payments(
    spawn_server: SpawnServer, scratch: Path, tmp_path: Path
) -> None:
    server, backups, keys = spawn_server(), scratch / "backups", tmp_path / "sealing.keys"
    secret = make_tenant(server.database_url).secret
    with _streaming(server, backups):
        before = _pay(server, secret, "before the copy")
        taken = run_fastpay(
            "backup", "take", str(backups), "--keys", str(keys), "--data-dir", str(server.data_dir)
        )
        assert (taken.returncode, taken.stderr) == (0, "")
        after = _pay(server, secret, "after the copy")
        ((moment,),) = fetch(server.database_url, "select clock_timestamp()")
        late = _pay(server, secret, "too late")
        assert before.status_code == after.status_code == late.status_code == 200
    server.kill()
    end_server(server)

    restored = scratch / "restored"
    beyond = run_fastpay("restore", str(backups), "--data-dir", str(restored), "--at", "2999-01-01T00:00:00Z")
    assert beyond.returncode == 2
    assert "nothing was restored: recovery ended before configured recovery target" in beyond.stderr
    options = ("--data-dir", str(restored), "--at", moment.isoformat())
    done = run_fastpay("restore", str(backups), *options, "--keys", str(keys))
    assert done.returncode == 0, done.stderr
    server = spawn_server(data_dir=restored)
    # What was there, and nothing else; the sequence has no hole.
    rows = fetch(server.database_url, "select payment_intent_id from payment_intent")
    assert len(rows) == 2
    assert _sequences(server) == list(range(1, len(_sequences(server)) + 1))
    # A replay is the first response, byte for byte, also of what only the log had.
    assert _pay(server, secret, "before the copy").content == before.content
    assert _pay(server, secret, "after the copy").content == after.content
    # The payment that came later was not made. Its key makes one, and the sequence goes on.
    again = _pay(server, secret, "too late")
    assert again.json()["id"] != late.json()["id"]
    assert _fingerprint(again) == _fingerprint(before)
    assert _sequences(server) == list(range(1, len(_sequences(server)) + 1))
    assert _get(server, secret, "/v1/ledger/verify")["ok"] is True
    assert asyncio.run(find_database_faults(server.database_url)) == []
    assert len(_get(server, secret, "/v1/payment_intents")["data"]) == 3
    own = scratch / "own"
    into = run_fastpay("restore", str(backups), "--into", str(own / "postgresql"), "--at", moment.isoformat())
    assert into.returncode == 0, into.stderr
    with _recovered(own) as url:
        assert fetch(url, "select payment_intent_id from payment_intent order by 1") == sorted(rows)
        assert asyncio.run(find_database_faults(url)) == []
    shutil.rmtree(backups)


def test_what_a_restore_cannot_do_is_said(spawn_server: SpawnServer, scratch: Path, tmp_path: Path) -> None:
    server, backups = spawn_server(), scratch / "backups-alone"
    make_tenant(server.database_url)
    place = ("--data-dir", str(server.data_dir))
    inside = run_fastpay("backup", "take", str(backups), "--keys", str(backups / "keys"), *place)
    assert inside.returncode == 2
    assert "is among the backups" in inside.stderr
    nowhere = run_fastpay("backup", "take", str(backups), "--keys", str(tmp_path / "none" / "keys"), *place)
    assert (nowhere.returncode, "No such file or directory" in nowhere.stderr) == (2, True), nowhere.stderr
    owner = server.database_url.replace("fastpay@", "visitor@", 1)
    execute(server.database_url, "create role visitor login")
    unentitled = run_fastpay("backup", "take", str(backups), "--database-url", owner)
    assert "the role needs the attribute replication" in unentitled.stderr
    taken = run_fastpay("backup", "take", str(backups), *place)
    assert taken.returncode == 0
    assert "can only be restored as it is" in taken.stderr
    assert "sealed secrets in it are lost" in taken.stderr
    (tmp_path / "file").touch()
    beyond = str(tmp_path / "file" / "new")
    for command in (["backup", "take", beyond], ["backup", "stream", beyond]):
        unwritable = run_fastpay(*command, *place)
        assert (unwritable.returncode, f"cannot write {beyond}" in unwritable.stderr) == (2, True)
    unwritable = run_fastpay("restore", str(backups), "--into", beyond)
    assert unwritable.stderr == f"fastpay: cannot write {beyond}: Not a directory\n"
    (copy,) = (backups / "base").iterdir()
    (copy / "PG_VERSION").write_text("8\n")
    damaged = run_fastpay("restore", str(backups), "--data-dir", str(scratch / "new"))
    assert "PG_VERSION is not what was copied" in damaged.stderr
    refused = [
        ("2026-11-29 10:00", "has no time zone"),
        ("soon", "is no time like"),
        ("2020-01-01T00:00:00+00:00", "has no backup from before that moment"),
    ]
    for at, reason in refused:
        done = run_fastpay("restore", str(backups), "--data-dir", str(scratch / "new"), "--at", at)
        assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
    done = run_fastpay("restore", str(backups), "--into", str(server.data_dir))
    assert "is not empty" in done.stderr
    for option, reason in (("--into", "--keys is not used"), ("--data-dir", "No such file or directory")):
        done = run_fastpay(
            "restore", str(backups), option, str(tmp_path / "new"), "--keys", str(tmp_path / "k")
        )
        assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
    stopped = run_fastpay("backup", "take", str(backups), "--data-dir", str(tmp_path))
    assert "its database must run" in stopped.stderr
    shutil.rmtree(backups)
