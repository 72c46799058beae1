"""Objects of an older API are imported by a command, and belong to this side from then on."""

import json
import time
from pathlib import Path

import httpx
import pytest

from tests.rollout.states import run_command, set_all, side_of
from tests.support import tree
from tests.support.api import open_client
from tests.support.servers import PATIENCE_SECONDS, RunningServer, fetch
from tests.support.tenants import make_tenant

EXAMPLE = [
    line + "\n"
    for line in tree.read(tree.ROOT / "docs/MIGRATION.md").splitlines()
    if line.startswith('{"object"')
]


def take(
    server: RunningServer, client: httpx.Client, file: Path, text: str, *more: str, fails: bool = False
) -> str:
    """Import lines into the tenant of a client, and return what the command says."""
    file.write_text(text, encoding="utf-8")
    tenant_id = client.get("/v1/account").json()["id"].removeprefix("acct_")
    (tenant,) = fetch(server.database_url, "select name from tenant where tenant_id = $1", tenant_id)
    own = ("--tenant", tenant["name"], "--mode", "test")
    return run_command(server, "rollout", "import", str(file), *own, *more, fails=fails)


def test_the_example_of_the_page_is_imported_once(
    front: RunningServer, shop: httpx.Client, tmp_path: Path
) -> None:
    text = "".join(EXAMPLE)
    assert take(front, shop, tmp_path / "lines", text, "--check") == "2 are new\n"
    assert shop.get("/v1/customers").json()["data"] == []
    said = take(front, shop, tmp_path / "lines", text)
    assert said.startswith("2 are new\n")
    assert "123.45 USD" in said
    (customer,) = shop.get("/v1/customers").json()["data"]
    assert (customer["email"], customer["created"]) == ("ada@shop.example", 1680893993)
    assert shop.get("/v1/balance").json()["available"][0]["amount"] == 12345
    # What the balance says of itself comes in its own time.
    events = {event["type"] for event in shop.get("/v1/events").json()["data"]}
    assert events <= {"balance.available"}
    assert take(front, shop, tmp_path / "lines", text).startswith("0 are new\n")


@pytest.mark.parametrize("more", [(), ("--check",)])
def test_a_faulty_line_is_named_and_nothing_is_imported(
    front: RunningServer, shop: httpx.Client, tmp_path: Path, more: tuple[str, ...]
) -> None:
    text = EXAMPLE[0] + EXAMPLE[1].replace("12345", "0")
    said = take(front, shop, tmp_path / "lines", text, *more, fails=True)
    assert "line 2: amount is a whole number" in said
    assert shop.get("/v1/customers").json()["data"] == []


THEIRS = json.loads(EXAMPLE[0])["id"]


@pytest.fixture
def imported(front: RunningServer, shop: httpx.Client, tmp_path: Path) -> str:
    """Import a customer while all routes are the older API's; return the identifier here."""
    take(front, shop, tmp_path / "lines", EXAMPLE[0])
    ours: str = shop.get("/v1/customers").json()["data"][0]["id"]
    set_all("legacy", shop, server=front)
    end_s = time.monotonic() + PATIENCE_SECONDS
    while side_of(shop.get(f"/v1/customers/{THEIRS}")) != "fastpay":
        assert time.monotonic() < end_s, "the import did not come"
        time.sleep(0.02)
    return ours


def test_a_request_that_names_an_imported_object_goes_to_it(imported: str, shop: httpx.Client) -> None:
    """By either identifier, in the path, a filter, a form and JSON. All routes are the older API's."""
    for name in (THEIRS, imported):
        asked = (
            shop.get(f"/v1/customers/{name}"),
            shop.post(f"/v1/customers/{name}", data={"metadata[older]": THEIRS, "description": "moved"}),
            shop.post(f"/v1/customers/{name}", json={"metadata": {"older": THEIRS}}),
        )
        for answer in asked:
            assert (side_of(answer), answer.status_code, answer.json()["id"]) == ("fastpay", 200, imported)
        assert answer.json()["metadata"] == {"older": THEIRS}
        terms = {"amount": "500", "currency": "usd", "customer": name}
        for made in (
            shop.post("/v1/payment_intents", data=terms),
            shop.post("/v1/payment_intents", json=terms | {"amount": 500}),
        ):
            assert (side_of(made), made.json()["customer"]) == ("fastpay", imported)
        listed = shop.get("/v1/payment_intents", params={"customer": name})
        assert (side_of(listed), listed.json()["data"][0]["id"]) == ("fastpay", made.json()["id"])


def test_what_was_not_imported_stays_where_it_is(imported: str, shop: httpx.Client) -> None:
    assert imported
    other = shop.get("/v1/customers/cus_SomebodyElse1")
    assert side_of(other) == "legacy"
    # With one of each side, the older API says what it does not know.
    both = {"amount": "5", "currency": "usd", "customer": THEIRS, "payment_method": "pm_OfTheOlderApi1"}
    assert side_of(shop.post("/v1/payment_intents", data=both)) == "legacy"


def test_the_older_identifier_leads_to_no_object_of_another_tenant(
    imported: str, front: RunningServer
) -> None:
    assert imported
    with open_client(front.url, make_tenant(front.database_url).secret) as stranger:
        assert side_of(stranger.get(f"/v1/customers/{THEIRS}")) == "legacy"
