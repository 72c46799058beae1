"""Settlements from end to end: another fastpay took the money, and its balance transactions are the file."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.processors import test_live_payments
from tests.processors.test_live_payments import Front, pay
from tests.support.servers import fetch, run_fastpay

PATH = "/v1/processors/settlements"
MAPPING = """
amounts = "minor"
[columns]
reference = "fastpay_reference"
id = "payment_intent"
gross = "amount"
value_date = "created"
"""
HEADING = "fastpay_reference,payment_intent,type,amount,fee,net,currency,created"


class Operator:
    """Runs commands on the server of a front, which goes on."""

    def __init__(self, front: Front, place: Path) -> None:
        self._front = front
        self._place = place
        self._mapping = place / "mapping.toml"
        self._mapping.write_text(MAPPING)
        (found,) = fetch(
            front.server.database_url, "select name from tenant where tenant_id = $1", front.scope.tenant_id
        )
        self._whose = ("--tenant", found["name"], "--mode", "live")

    def run(self, *command: str, fails: bool = False) -> str:
        """Run a command, and return what it said."""
        environment = {"FASTPAY_DATABASE_URL": self._front.server.database_url, "COLUMNS": "250"}
        done = run_fastpay("processors", *command, *self._whose, environment=environment)
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stderr if fails else done.stdout

    def settle(self, *rows: str, name: str = "january.csv", fails: bool = False) -> str:
        """Import a file of rows."""
        file = self._place / name
        file.write_text("\n".join((HEADING, *rows, "")))
        return self.run("settle", "acquirer", str(file), "--mapping", str(self._mapping), fails=fails)


def rows_of(front: Front) -> list[str]:
    """Return what the upstream says that it has paid out, the oldest first."""
    expand = {"limit": "100", "expand[]": "data.source.payment_intent"}
    listed = front.upstream.get("/v1/balance_transactions", params=expand).json()["data"]
    rows = []
    for one in reversed(listed):
        source = one["source"]
        owner = source if one["type"] == "refund" else source["payment_intent"]
        cells: list[Any] = [owner["metadata"]["fastpay_reference"], owner["id"], one["type"]]
        cells += [one["amount"], one["fee"], one["net"], one["currency"], _day(one["created"])]
        rows.append(",".join(map(str, cells)))
    return rows


def _day(created_s: int) -> str:
    return datetime.fromtimestamp(created_s, UTC).date().isoformat()


def _identifier(told: str) -> str:
    found = re.search(r"stl_[0-9a-f]{32}", told)
    assert found is not None, told
    return found[0]


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody inquires while a payment is made, however long that takes."""
    monkeypatch.setitem(test_live_payments.QUICK, "FASTPAY_PROCESSOR_INQUIRY_S", "100")


@pytest.fixture
def operator(front: Front, tmp_path: Path) -> Operator:
    return Operator(front, tmp_path)


def get(http: httpx.Client, path: str, **params: str) -> Any:
    """Return what an address shows."""
    answer = http.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_the_upstream_paid_out_is_imported_corrected_and_closed(
    front: Front, operator: Operator
) -> None:
    with front.client() as http:
        for order in range(4):
            paid = pay(http, f"order {order}")
            assert paid.json()["status"] == "succeeded", paid.text
        rows = rows_of(front)
        assert len(rows) == 4
        broken = rows[1].replace(",2000,", ",x,")
        assert "line 3, column 4 (amount): 'x' is no amount" in operator.settle(rows[0], broken, fails=True)
        assert get(http, PATH)["data"] == []
        # One is paid twice, one with another amount, one is missing, and one is of nobody.
        wrong = _with_amount(rows[2], 1900)
        foreign = rows[0].replace(rows[0][:36], "att_" + "9" * 32)
        told = operator.settle(rows[0], rows[1], rows[1], wrong, foreign)
        identifier = _identifier(told)
        assert "5 new rows" in told
        assert f"{identifier} open: 5 rows, 4 differences" in told
        assert "imported before" in operator.settle(rows[0], rows[1], rows[1], wrong, foreign)
        shown = get(http, f"{PATH}/{identifier}")
        assert (shown["status"], shown["differences"], shown["row_count"]) == ("open", 4, 5)
        assert get(http, PATH, processor="acquirer")["data"] == [shown]
        assert get(http, PATH, processor="other")["data"] == []
        listed = get(http, f"{PATH}/{identifier}/rows")
        statuses = ["matched", "matched", "duplicate", "amount_differs", "missing_here", "missing_there"]
        assert [one["status"] for one in listed["data"]] == statuses
        _check_pages(http, identifier, listed["data"])
        refused = http.post(f"{PATH}/{identifier}/close")
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "settlement_differs")
        assert "4 rows that differ" in operator.run("settlements", "close", identifier, fails=True)
        _accept(http, identifier, listed["data"][2]["id"])
        told = operator.run("settlements", "accept", identifier, "4", "--reason", "a fee of theirs")
        assert "2 differences" in told
        operator.run("settlements", "accept", identifier, "5", "--reason", "not ours")
        assert "missing_there" in operator.run("settlements", "rows", identifier, "--status", "missing_there")
        # The one that was missing comes in another file.
        fee = f",,stripe_fee,-25,0,-25,usd,{rows[3][-10:]}"
        later = operator.settle(rows[0], rows[3], fee, name="february.csv")
        assert "2 new rows" in later
        matched = http.post(f"{PATH}/{identifier}/match", headers={"Idempotency-Key": "match"})
        assert (matched.status_code, matched.json()["differences"]) == (200, 0), matched.text
        again = http.post(f"{PATH}/{identifier}/match", headers={"Idempotency-Key": "match"})
        assert again.content == matched.content
        assert "0 differences" in operator.run("settlements", "match", identifier)
        closed = http.post(f"{PATH}/{identifier}/close").json()
        assert (closed["status"], closed["accepted"]) == ("closed", 2000 - 100 + 2000)
        assert "closed" in http.post(f"{PATH}/{identifier}/match").json()["error"]["message"]
        assert "closed" in operator.run("settlements", "close", _identifier(later))
        assert "a fee of theirs" in operator.run("settlements", "show", identifier)
        assert operator.run("settlements", "list").count("closed") == 2
        balances = {
            one["code"]: get(http, f"/v1/ledger/accounts/{one['id']}/balance")["amount"]
            for one in get(http, "/v1/ledger/accounts")["data"]
        }
        assert balances["processor"] == 0
        assert (balances["settlement_bank"], balances["processor_fees"]) == (2000 * 5 + 1900 - 25, 25)
        assert balances["settlement_differences"] == closed["accepted"]
    front.check()


def test_captures_and_refunds_are_settled_too(front: Front, operator: Operator) -> None:
    with front.client() as http:
        held = pay(http, capture_method="manual").json()
        assert held["status"] == "requires_capture", held
        path = f"/v1/payment_intents/{held['id']}/capture"
        assert http.post(path, data={"amount_to_capture": "1500"}).json()["status"] == "succeeded"
        refund = http.post("/v1/refunds", data={"payment_intent": held["id"], "amount": "400"}).json()
        assert refund["status"] == "succeeded", refund
        rows = rows_of(front)
        assert [row.split(",")[2:4] for row in rows] == [["charge", "1500"], ["refund", "-400"]]
        told = operator.settle(*rows)
        assert "2 rows, 0 differences" in told
        closed = http.post(f"{PATH}/{_identifier(told)}/close").json()
        assert (closed["status"], closed["gross"]) == ("closed", 1100)
    front.check()


def _with_amount(row: str, amount: int) -> str:
    cells = row.split(",")
    cells[3:6] = [str(amount), cells[4], str(amount - int(cells[4]))]
    return ",".join(cells)


def _check_pages(http: httpx.Client, identifier: str, rows: list[dict[str, Any]]) -> None:
    """Go through the rows two at a time, forwards and back."""
    ids = [one["id"] for one in rows]
    path = f"{PATH}/{identifier}/rows"
    first = get(http, path, limit="2")
    assert (first["has_more"], first["data"]) == (True, rows[:2])
    last = get(http, path, limit="4", starting_after=ids[1])
    assert (last["has_more"], last["data"]) == (False, rows[2:])
    back = get(http, path, limit="2", ending_before=ids[3])
    assert (back["has_more"], back["data"]) == (True, rows[1:3])
    chosen = get(http, path, status="duplicate")
    assert [one["id"] for one in chosen["data"]] == [ids[2]]
    assert http.get(path, params={"starting_after": "stlr_" + "1" * 32}).status_code == 400
    assert http.get(path, params={"status": "lost"}).status_code == 400


def _accept(http: httpx.Client, identifier: str, row: str) -> None:
    """Accept a difference, twice by the same request."""
    path, key = f"{PATH}/{identifier}/rows/{row}/accept", {"Idempotency-Key": "accept"}
    assert http.post(path).json()["error"]["param"] == "reason"
    first = http.post(path, data={"reason": "paid twice"}, headers=key)
    assert (first.status_code, first.json()["differences"]) == (200, 3)
    again = http.post(path, data={"reason": "paid twice"}, headers=key)
    assert (again.content, again.headers["idempotent-replayed"]) == (first.content, "true")
    assert "accepted already" in http.post(path, data={"reason": "again"}).json()["error"]["message"]
    accepted = get(http, f"{PATH}/{identifier}/rows")["data"][2]["acceptance"]
    assert (accepted["amount"], accepted["reason"]) == (2000, "paid twice")
    assert accepted["by"].startswith("request req_")
    absent = path.replace(row[-8:] + "/accept", "0000ffff/accept")
    assert http.post(absent, data={"reason": "none"}).status_code == 404
