"""Batches of transfers over HTTP."""

import json
from typing import Any

import httpx
import pytest

from fastpay import limits
from tests.support.api import open_client
from tests.support.ledger_client import Books, open_books
from tests.support.refusals import JSON, Bad, Database, check_refused
from tests.support.servers import RunningServer
from tests.support.tenants import Tenant, make_tenant

Item = dict[str, Any]


@pytest.fixture
def books(http: httpx.Client, tenant: Tenant) -> Books:
    """A source without a bound and two wallets that cannot fall below zero."""
    return open_books(http, tenant.secret)


def send(books: Books, items: list[Item], *, key: str | None = None, **fields: object) -> httpx.Response:
    """Send a batch as JSON."""
    headers = {"Authorization": f"Bearer {books.secret}", "Content-Type": JSON}
    if key is not None:
        headers["Idempotency-Key"] = key
    content = json.dumps({"transfers": items, **fields})
    return books.http.post("/v1/ledger/batches", content=content, headers=headers)


def made(answer: httpx.Response) -> dict[str, Any]:
    """Return the batch of an answer that is one."""
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body["object"] == "ledger_batch"
    return body


def codes(batch: dict[str, Any]) -> list[str | None]:
    """Return the codes of a batch, in order, each without exactly where there is an identifier."""
    if not batch["dry_run"]:
        assert all((result["code"] is None) != (result["id"] is None) for result in batch["results"])
    return [result["code"] for result in batch["results"]]


def test_each_item_is_decided_by_itself_and_answered_in_order(books: Books) -> None:
    euro = books.post("accounts", code="euro", currency="eur", normal_side="credit")["id"]
    fee = {account["code"]: account["id"] for account in books.get("accounts", limit=100)["data"]}.get("fees")
    items = [
        {**books.sides(books.source, books.wallet), "amount": 10, "metadata": {"order": "7"}},
        {**books.sides(books.wallet, books.other), "amount": 11},
        {**books.sides(books.wallet, books.other), "amount": 10},
        {**books.sides(books.wallet, books.wallet), "amount": 1},
        {**books.sides(books.source, "lacc_" + "0" * 32), "amount": 1},
        {**books.sides(books.source, euro), "amount": 1},
        {**books.sides(books.other, books.source), "amount": 4, "hold": True, "expires_at": 4_000_000_000},
        {**books.sides(books.other, books.source), "amount": 4, "hold": True, "expires_at": 1},
        {**books.sides(books.other, books.source), "amount": 7},
    ]
    assert fee is None
    batch = made(send(books, items))
    assert codes(batch) == [
        None,
        "insufficient_funds",
        None,
        "ledger_accounts_equal",
        "resource_missing",
        "currency_mismatch",
        None,
        "expires_at_past",
        "insufficient_funds",
    ]
    assert (batch["succeeded"], batch["failed"]) == (3, 6)
    first, hold = (books.get(f"transfers/{batch['results'][place]['id']}") for place in (0, 6))
    assert (first["amount"], first["metadata"], first["sequence"]) == (10, {"order": "7"}, batch["sequence"])
    assert (hold["status"], hold["expires_at"]) == ("held", 4_000_000_000)
    assert books.balance(books.other)["available"] == 6
    assert books.get(f"batches/{batch['id']}") == batch
    assert books.get("verify")["problems"] == []
    listed = books.get("transfers", limit=3)["data"]
    assert [transfer["id"] for transfer in listed] == [batch["results"][place]["id"] for place in (6, 2, 0)]
    assert books.post(f"transfers/{hold['id']}/post", amount=1)["amount_posted"] == 1


def test_a_chain_stands_or_falls_as_one(books: Books) -> None:
    def link(debit: str, credit: str, amount: int, *, linked: bool = True) -> Item:
        return {**books.sides(debit, credit), "amount": amount, "linked": linked}

    items = [
        link(books.source, books.wallet, 10),
        link(books.wallet, books.other, 11),
        link(books.source, books.wallet, 1, linked=False),
        link(books.source, books.wallet, 5),
        link(books.wallet, books.other, 5, linked=False),
        link(books.other, books.source, 6, linked=False),
        link(books.other, books.source, 5, linked=False),
        link(books.source, books.wallet, 1),
        link(books.source, books.wallet, 1),
    ]
    batch = made(send(books, items))
    failed = "linked_chain_failed"
    assert codes(batch) == [
        failed,
        "insufficient_funds",
        failed,
        None,
        None,
        "insufficient_funds",
        None,
        failed,
        "linked_chain_open",
    ]
    assert [books.balance(account)["amount"] for account in (books.source, books.wallet, books.other)] == [
        0
    ] * 3
    assert books.balance(books.source)["debits_posted"] == 5
    assert books.get("verify")["problems"] == []


def test_a_dry_run_decides_everything_and_writes_nothing(books: Books, database: Database) -> None:
    items = [{**books.sides(books.source, books.wallet), "amount": 10} for _ in range(3)]
    items.append({**books.sides(books.wallet, books.other), "amount": 31})
    before = database.counts()
    key = f"dry {books.wallet}"
    trial = made(send(books, items, key=key, dry_run=True))
    assert codes(trial) == [None, None, None, "insufficient_funds"]
    assert trial["dry_run"]
    assert {result["id"] for result in trial["results"]} == {None}
    assert database.counts() == before
    assert books.balance(books.wallet)["amount"] == 0
    # Its key is as good as new.
    answer = send(books, items, key=key)
    assert codes(made(answer)) == codes(trial)
    assert "idempotent-replayed" not in answer.headers
    assert books.balance(books.wallet)["amount"] == 30


def test_a_batch_is_replayed_byte_for_byte(books: Books, database: Database) -> None:
    items = [{**books.sides(books.source, books.wallet), "amount": amount} for amount in (1, 2, 3)]
    items += [{**books.sides(books.wallet, books.other), "amount": 100}]
    key = f"batch {books.wallet}"
    first = send(books, items, key=key)
    before = database.counts()
    books.transfer(books.source, books.wallet, 100)
    again = send(books, items, key=key)
    assert again.content == first.content
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["original-request"] == first.headers["request-id"]
    assert send(books, items[:-1], key=key).json()["error"]["type"] == "idempotency_error"
    assert books.balance(books.wallet)["amount"] == 106
    after = database.counts()
    assert after["ledger_transfer"] == before["ledger_transfer"] + 1


@pytest.mark.parametrize(
    "more", [{"metadata": {"b": "2", "a": "1"}}, {"hold": True, "expires_at": 1_900_000_000}]
)
def test_a_batch_with_metadata_or_expiry_is_replayed_from_json_and_from_a_form(
    books: Books, more: dict[str, Any]
) -> None:
    item = {**books.sides(books.source, books.wallet), "amount": 3, **more}
    key = f"batch with {next(iter(more))} {books.wallet}"
    first = send(books, [item], key=key)
    assert codes(made(first)) == [None]
    flat = {name: value for name, value in item.items() if name != "metadata"}
    fields = {f"transfers[0][{name}]": "true" if value is True else value for name, value in flat.items()}
    fields |= {f"transfers[0][metadata][{name}]": value for name, value in item.get("metadata", {}).items()}
    for again in (send(books, [item], key=key), books.send("batches", fields, key=key)):
        assert again.content == first.content
        assert again.headers["idempotent-replayed"] == "true"
    assert send(books, [item | {"amount": 4}], key=key).json()["error"]["type"] == "idempotency_error"


def test_a_whole_batch_is_one_event_one_snapshot_and_a_row_each(books: Books, database: Database) -> None:
    count = limits.ledger_batch_transfers_max
    items = [{**books.sides(books.source, books.wallet), "amount": 1} for _ in range(count)]
    before = database.counts()
    key = f"whole {books.wallet}"
    batch = made(send(books, items, key=key))
    assert batch["succeeded"] == count
    assert len({result["id"] for result in batch["results"]}) == count
    after = database.counts()
    grown = {table: after[table] - before[table] for table in after if after[table] != before[table]}
    assert grown == {
        "ledger_transfer": count,
        "event": 1,
        "object_version": 1,
        "idempotency": 1,
        "changes": 1,
    }
    last = books.get(f"transfers/{batch['results'][-1]['id']}")
    assert (last["amount"], last["sequence"]) == (1, batch["sequence"])
    assert books.balance(books.wallet)["amount"] == count
    bytes_kept = database.fetch(
        "select octet_length(answer) + octet_length(snapshot) from idempotency, object_version "
        "where idempotency_key = $1 and object_id = $2::text::uuid",
        key,
        batch["id"][5:],
    )[0][0]
    assert bytes_kept < 200


def test_a_batch_may_come_as_a_form(books: Books) -> None:
    fields = {
        f"transfers[{place}][{name}]": value
        for place in range(2)
        for name, value in {**books.sides(books.source, books.wallet), "amount": 5 + place}.items()
    }
    batch = books.post("batches", **{**fields, "transfers[0][linked]": "true"})
    assert codes(batch) == [None, None]
    assert books.balance(books.wallet)["amount"] == 11


def test_anothers_accounts_are_as_unknown_as_any(
    http: httpx.Client, books: Books, server: RunningServer
) -> None:
    stranger = open_books(http, make_tenant(server.database_url).secret)
    items = [
        {**stranger.sides(books.source, stranger.wallet), "amount": 1},
        {**stranger.sides(stranger.source, books.wallet), "amount": 1},
        {**stranger.sides(books.source, books.wallet), "amount": 1},
    ]
    batch = made(send(stranger, items))
    assert codes(batch) == ["resource_missing"] * 3
    assert books.balance(books.wallet)["credits_posted"] == 0
    assert stranger.balance(stranger.wallet)["credits_posted"] == 0


ACCOUNTS = {"debit_account": "lacc_" + "1" * 32, "credit_account": "lacc_" + "2" * 32}


def bad(item: Item | str, *, code: str | None = None, param: str | None = None, place: int = 1) -> Bad:
    good = {**ACCOUNTS, "amount": 1}
    texts = [json.dumps(good)] * place + [item if isinstance(item, str) else json.dumps(item)]
    name = None if param is None else f"transfers[{place}][{param}]"
    content = f'{{"transfers": [{", ".join(texts)}]}}'.encode()
    return Bad("/v1/ledger/batches", content, JSON, code=code, param=name)


def whole(text: str, *, code: str | None = None, param: str | None = None) -> Bad:
    return Bad("/v1/ledger/batches", text.encode(), JSON, code=code, param=param)


HOLD = {**ACCOUNTS, "amount": 1, "hold": True}
MISSING = "resource_missing"
INTEGER = "parameter_invalid_integer"

BAD = [
    whole("{}", code="parameter_missing", param="transfers"),
    whole('{"transfers": []}', param="transfers"),
    whole('{"transfers": {}}', param="transfers"),
    whole('{"transfers": [1]}', param="transfers[0]"),
    whole('{"x": 1, "transfers": []}', code="parameter_unknown", param="x"),
    bad({**ACCOUNTS}, code="parameter_missing", param="amount"),
    bad({**ACCOUNTS, "amount": 0}, code="amount_too_small", param="amount"),
    bad({**ACCOUNTS, "amount": -1}, code="amount_too_small", param="amount"),
    bad({**ACCOUNTS, "amount": 100_000_000}, code="amount_too_large", param="amount"),
    bad({**ACCOUNTS, "amount": "1"}, code=INTEGER, param="amount"),
    bad({**ACCOUNTS, "amount": True}, code=INTEGER, param="amount"),
    bad({**ACCOUNTS, "amount": 2**62}, code="amount_too_large", param="amount"),
    bad({**ACCOUNTS, "amount": 2**70}, param="amount"),
    bad({**ACCOUNTS, "amount": None}, code="parameter_invalid_empty", param="amount"),
    bad({**ACCOUNTS, "amount": 1, "tip": 1}, code="parameter_unknown", param="tip"),
    bad({"debit_account": "lacc_1", "amount": 1}, code="parameter_missing", param="credit_account"),
    bad({**HOLD, "debit_account": "lacc_1"}, code=MISSING, param="debit_account"),
    bad({**HOLD, "credit_account": "cus_" + "1" * 32}, code=MISSING, param="credit_account"),
    bad({**HOLD, "credit_account": "lacc_" + "A" * 32}, code=MISSING, param="credit_account"),
    bad({**ACCOUNTS, "amount": 1, "linked": 1}, param="linked"),
    bad({**ACCOUNTS, "amount": 1, "linked": "true"}, param="linked"),
    bad({**ACCOUNTS, "amount": 1, "hold": "x"}, param="hold"),
    bad({**ACCOUNTS, "amount": 1, "expires_at": 5}, param="expires_at"),
    bad({**HOLD, "expires_at": -5}, code=INTEGER, param="expires_at"),
    bad({**ACCOUNTS, "amount": 1, "metadata": {"a" * 41: "b"}}, param=f"metadata][{'a' * 41}"),
    bad({**ACCOUNTS, "amount": 1, "metadata": {"a": "b" * 501}}, param="metadata][a"),
]  # fmt: skip


@pytest.mark.parametrize("wanted", BAD, ids=lambda wanted: str(wanted.param))
def test_whatever_is_wrong_with_a_batch_is_named_and_nothing_is_written(
    http: httpx.Client, tenant: Tenant, database: Database, wanted: Bad
) -> None:
    check_refused(http, tenant, database, wanted)


NUMBERS = ["1.0", "1e3", "01", "+1", "0x1", ".5", "1.", "-", "NaN", "9" * 30]


@pytest.mark.parametrize("number", NUMBERS)
def test_what_is_no_whole_number_is_refused(
    http: httpx.Client, tenant: Tenant, database: Database, number: str
) -> None:
    text = json.dumps({**ACCOUNTS, "amount": 1}).replace(": 1}", f": {number}}}")
    before = database.counts()
    answer = http.post(
        "/v1/ledger/batches",
        content=f'{{"transfers": [{text}]}}',
        headers={"Authorization": f"Bearer {tenant.secret}", "Content-Type": JSON},
    )
    assert answer.status_code == 400, answer.text
    assert database.counts() == before


@pytest.mark.parametrize(
    "text",
    [
        '{"transfers": [{"amount": 1, "amount": 1, "debit_account": "D", "credit_account": "C"}]}',
        '{"transfers": [{"amount": 1, "debit_account": "D", "credit_account": "C"}], "transfers": []}',
        '{"transfers": [{"amount": 1, "debit_account": "D", "credit_account": "C",}]}',
        '{"transfers": [{"amount": 1, "debit_account": "D", "credit_account": "C"}]} x',
        '{"transfers": [{"amount": 1, "debit_account": "D", "credit_account": "C"}]',
        '{"transfers": [{"amount": 1, "debit_account": "D", "credit_account": "C", '
        '"metadata": {"a": "\\u0000"}}]}',
        '{"transfers": [{"amount": 1, "debit_account": "D", "credit_account": "C", '
        '"metadata": {"a": "\\ud800"}}]}',
    ],
)
def test_what_is_no_strict_json_is_refused(
    http: httpx.Client, tenant: Tenant, database: Database, text: str
) -> None:
    content = text.replace('"D"', f'"lacc_{"1" * 32}"').replace('"C"', f'"lacc_{"2" * 32}"')
    before = database.counts()
    answer = http.post(
        "/v1/ledger/batches",
        content=content,
        headers={"Authorization": f"Bearer {tenant.secret}", "Content-Type": JSON},
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert database.counts() == before


def test_more_transfers_than_a_batch_takes_are_refused(http: httpx.Client, tenant: Tenant) -> None:
    headers = {"Authorization": f"Bearer {tenant.secret}", "Content-Type": JSON}
    item = json.dumps({**ACCOUNTS, "amount": 1}, separators=(",", ":"))
    too_many = ",".join([item] * (limits.ledger_batch_transfers_max + 1))
    answer = http.post("/v1/ledger/batches", content=f'{{"transfers": [{too_many}]}}', headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "transfers")


def test_a_batch_may_be_larger_than_other_bodies_and_has_its_limit_too(
    server: RunningServer, tenant: Tenant
) -> None:
    room = limits.body_bytes_max * limits.ledger_batch_body_factor
    statuses = []
    with open_client(server.url, tenant.secret) as http:
        for path, size in (("batches", room), ("batches", room + 1), ("accounts", limits.body_bytes_max + 1)):
            content = b"{}".ljust(size)
            answer = http.post(f"/v1/ledger/{path}", content=content, headers={"Content-Type": JSON})
            statuses.append(answer.status_code)
    assert statuses == [400, 413, 413]
