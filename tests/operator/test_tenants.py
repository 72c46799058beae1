"""`fastpay tenants`, and what its rules do on running servers."""

import asyncio
import json
import re
import shutil
import subprocess
import uuid
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from fastpay import limits
from fastpay.store import migrate as module
from fastpay.store.migrate import migrate
from tests.support.api import open_client
from tests.support.servers import RunningServer, SpawnServer, execute, run_fastpay


def tenants(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return run_fastpay("tenants", *arguments, "--database-url", url, environment={"COLUMNS": "120"})


def make_key(url: str, tenant: str) -> str:
    made = run_fastpay("keys", "create", "--tenant", tenant, "--mode", "test", "--database-url", url)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def rows_of(done: "subprocess.CompletedProcess[str]") -> dict[str, list[str]]:
    """Return the cells of a table by the first one of each line."""
    assert done.returncode == 0, done.stderr
    lines = [re.split(r"\s*[│┃]\s*", line)[1:-1] for line in done.stdout.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if cells}


def test_a_new_tenant_pays_no_fees_and_all_its_rules_are_shown(database_url: str) -> None:
    assert tenants(database_url, "create", "acme").stdout == "created acme\n"
    make_key(database_url, "made with its key")
    for name in ("acme", "made with its key"):
        assert rows_of(tenants(database_url, "show", name)) == {
            name: ["test", "live"],
            "fee": ["none", "none"],
            "fee on a dispute": ["none", "none"],
            "refunds may overdraw": ["on", "on"],
            "smallest amounts": ["none", "none"],
            "funds available after": ["2 days", "2 days"],
            "payouts": ["manual", "manual"],
        }
    listed = rows_of(tenants(database_url, "list"))
    assert [listed[name][1:] for name in ("acme", "made with its key")] == [["none", "none"]] * 2


def test_a_tenant_is_renamed_unless_the_name_is_taken(database_url: str) -> None:
    for name in ("acme", "other"):
        assert tenants(database_url, "create", name).returncode == 0
    key = make_key(database_url, "acme")
    assert tenants(database_url, "rename", "acme", "Acme & Sons").stdout == "renamed acme to Acme & Sons\n"
    for name, new in (("acme", "x"), ("other", "Acme & Sons"), ("other", ""), ("other", "a\nb")):
        refused = tenants(database_url, "rename", name, new)
        assert refused.returncode in (1, 2), (name, new)
        assert "Traceback" not in refused.stderr
    listed = run_fastpay("keys", "list", "--tenant", "Acme & Sons", "--mode", "test", "--database-url",
                         database_url)  # fmt: skip
    assert key[-4:] in listed.stdout


def test_rules_are_given_at_the_start_and_changed_one_by_one_and_mode_by_mode(database_url: str) -> None:
    given = ("--fee-basis-points", "290", "--fee-fixed", "30", "--minimum", "usd=50", "--minimum", "EUR=40")
    assert tenants(database_url, "create", "acme", *given, "--funds-delay-days", "7").returncode == 0
    shown = rows_of(tenants(database_url, "show", "acme"))
    assert shown["fee"] == ["2.9 % + 30"] * 2
    assert shown["smallest amounts"] == ["eur=40, usd=50"] * 2
    assert shown["funds available after"] == ["7 days"] * 2
    changes = (
        "--fee-fixed",
        "0",
        "--dispute-fee",
        "1500",
        "--refunds-may-overdraw",
        "off",
        "--minimum",
        "usd=0",
        "--minimum",
        "jpy=5",
    )
    assert rows_of(tenants(database_url, "set", "acme", "--mode", "live", *changes)) == {
        "acme": ["test", "live"],
        "fee": ["2.9 % + 30", "2.9 % + 0"],
        "fee on a dispute": ["none", "1500"],
        "refunds may overdraw": ["on", "off"],
        "smallest amounts": ["eur=40, usd=50", "eur=40, jpy=5"],
        "funds available after": ["7 days", "7 days"],
        "payouts": ["manual", "manual"],
    }
    paid_out = rows_of(tenants(database_url, "set", "acme", "--payout-interval", "weekly", "--mode", "test"))
    assert paid_out["payouts"] == ["weekly", "manual"]
    both = rows_of(tenants(database_url, "set", "acme", "--funds-delay-days", "0"))
    assert both["funds available after"] == ["at once", "at once"]
    assert rows_of(tenants(database_url, "show", "acme")) == both


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (["show", "nobody"], 2, "there is no tenant named 'nobody'"),
        (["set", "shop"], 2, "give at least one rule to change"),
        (["set", "shop", "--fee-basis-points", "10001"], 2, "10001 is not in the range"),
        (["set", "shop", "--minimum", "usd=1e3"], 2, "'usd=1e3' is not CURRENCY=AMOUNT"),
        (["set", "shop", "--minimum", "usd=100000000"], 2, "from 0 to 99999999"),
        (["set", "shop", "--minimum", "xyz=1"], 2, "Unknown currency"),
        (["create", "test"], 2, "a tenant named 'test' exists already"),
        (["create", ""], 1, "1 to 100 printable"),
    ],
)
def test_a_bad_wish_about_tenants_is_refused(
    server: RunningServer, arguments: list[str], status: int, part: str
) -> None:
    done = tenants(server.database_url, *arguments)
    assert done.returncode == status
    assert part in done.stderr
    assert "Traceback" not in done.stderr


@contextmanager
def clients_of(servers: Iterable[RunningServer], key: str) -> Iterator[list[httpx.Client]]:
    """Yield a client for each server, with this key."""
    with ExitStack() as stack:
        yield [stack.enter_context(open_client(server.url, key)) for server in servers]


def pay(client: httpx.Client, **form: Any) -> httpx.Response:
    paid = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
    return client.post(
        "/v1/payment_intents", data={**paid, "expand[]": "latest_charge.balance_transaction", **form}
    )


def transaction(client: httpx.Client, **form: Any) -> dict[str, Any]:
    answer = pay(client, **form)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()["latest_charge"]["balance_transaction"]
    return found


def test_running_instances_follow_a_changed_rule_from_their_next_commit_on(
    database_url: str, spawn_server: SpawnServer
) -> None:
    key = make_key(database_url, "acme")
    environment = {"FASTPAY_DATABASE_URL": database_url}
    servers = [spawn_server(environment=environment) for _ in range(2)]
    with clients_of(servers, key) as (one, other):
        follow_rules(database_url, one, other)


def follow_rules(database_url: str, one: httpx.Client, other: httpx.Client) -> None:
    # After each change the last one that wrote is asked first: nothing but the rules tells it to look again.
    def fees() -> list[tuple[int, list[Any]]]:
        found = [transaction(client) for client in (other, one, one, other)]
        return [(line["fee"], [detail["amount"] for detail in line["fee_details"]]) for line in found]

    assert fees() == [(0, [])] * 4
    held = [
        pay(client, capture_method="manual", **{"expand[]": "latest_charge"}).json()
        for client in (one, other)
    ]
    # So many in a row that the instance decides ahead again, on the rules that it knows.
    for _ in range(2 * limits.locked_batches):
        assert transaction(other)["fee"] == 0
    tenants(database_url, "set", "acme", "--fee-basis-points", "290", "--fee-fixed", "30")
    assert fees() == [(88, [88])] * 4
    tenants(database_url, "set", "acme", "--mode", "live", "--fee-fixed", "1")
    assert fees() == [(88, [88])] * 4

    # What is written alone by an instance that is behind: a refusal. It stands on the rules as well.
    tenants(database_url, "set", "acme", "--fee-basis-points", "0", "--fee-fixed", "0", "--minimum", "usd=50")
    for client in (other, one, other):
        refused = pay(client, amount=49)
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "amount_too_small")
        assert refused.json()["error"]["param"] == "amount"
        assert "at least 50" in refused.json()["error"]["message"]
        assert pay(client, amount=50).status_code == 200
        assert pay(client, amount=49, currency="eur").status_code == 200
    tenants(database_url, "set", "acme", "--minimum", "usd=0")
    assert [pay(client, amount=1).status_code for client in (other, one, other)] == [200, 200, 200]

    tenants(database_url, "set", "acme", "--funds-delay-days", "9", "--minimum", "usd=3000")
    for client, intent in zip((other, one), held, strict=True):
        # Held under the old rules: in whole it is still captured, and a smaller part is not.
        capture = f"/v1/payment_intents/{intent['id']}/capture"
        refused = client.post(capture, data={"amount_to_capture": 1999})
        assert (refused.status_code, refused.json()["error"]["param"]) == (400, "amount_to_capture")
        assert client.post(capture).status_code == 200
        line = client.get(
            f"/v1/charges/{intent['latest_charge']['id']}", params={"expand[]": "balance_transaction"}
        ).json()["balance_transaction"]
        assert (line["fee"], line["status"]) == (0, "pending")
        assert line["available_on"] == line["created"] + 9 * 24 * 3600

    tenants(database_url, "set", "acme", "--funds-delay-days", "0")
    for client in (one, other):
        line = transaction(client, amount=3000)
        assert (line["status"], line["available_on"]) == ("available", line["created"])
    available = {line["currency"]: line["amount"] for line in other.get("/v1/balance").json()["available"]}
    assert available == {"eur": 0, "usd": 6000}
    assert json.loads(one.get("/v1/ledger/verify").content)["problems"] == []


def test_a_tenant_that_was_there_before_keeps_its_fees(
    empty_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The migration that changes what new tenants get changes nothing of the others."""
    url = empty_database_url

    def is_later(_: str, names: list[str]) -> list[str]:
        return [name for name in names if name[:4].isdigit() and name[:4] > "0011"]

    shutil.copytree(module.SCRIPTS, tmp_path / "then", ignore=is_later)
    with monkeypatch.context() as then:
        then.setattr(module, "SCRIPTS", tmp_path / "then")
        assert asyncio.run(migrate(url))[-1] == "0011"
    tenant_id = uuid.uuid4()
    execute(
        url,
        f"insert into tenant (tenant_id, name, fingerprint_key) values ('{tenant_id}', 'acme', sha256(''));"
        f"insert into book (tenant_id, livemode) values ('{tenant_id}', false), ('{tenant_id}', true)",
    )
    migrated = run_fastpay("migrate", "--database-url", url)
    assert migrated.stdout.startswith("applied 0012")
    assert tenants(url, "create", "new").returncode == 0
    listed = rows_of(tenants(url, "list"))
    assert listed["acme"][1:] == ["2.9 % + 30", "2.9 % + 30"]
    assert listed["new"][1:] == ["none", "none"]
