"""A split route on which fastpay is worse goes back to the older API by itself, and stays there."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.rollout.recorded import answer_of, wait_for
from tests.rollout.states import insert, run_rollout, set_all, side_of
from tests.support.api import open_client
from tests.support.legacy import RawLegacy
from tests.support.servers import PATIENCE_SECONDS, RunningServer, execute, fetch, running_server
from tests.support.tenants import make_tenant

ROUTE, PATH = "POST /v1/payment_intents", "/v1/payment_intents"
GOOD = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
DECLINED = GOOD | {"payment_method": "pm_card_visa_chargeDeclined"}
OLD = {"customer": "cus_OldCustomer1"}


@pytest.fixture(scope="module")
def instances(legacy: RawLegacy, cluster: Path) -> Iterator[tuple[RunningServer, RunningServer]]:
    """Two instances in front of one older API."""
    environment = {
        "FASTPAY_LEGACY_URL": legacy.url,
        "FASTPAY_REDIS_COPIES": "false",
        # A busy machine is no reason to go back.
        "FASTPAY_ROLLOUT_SLOW_MS": "600000",
    }
    with running_server("guard-one", cluster, environment=environment) as first:
        shared = environment | {"FASTPAY_DATABASE_URL": first.database_url}
        with running_server("guard-two", cluster, environment=shared) as second:
            yield first, second


@pytest.fixture
def pair(
    instances: tuple[RunningServer, RunningServer], legacy: RawLegacy
) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A client of each instance, of a new tenant. All that is new on the route is drawn for fastpay."""
    first, second = instances
    secret = make_tenant(first.database_url).secret
    legacy.answers[PATH] = answer_of({})
    with open_client(first.url, secret) as one, open_client(second.url, secret) as two:
        insert(first, ROUTE, "split=100")
        # Newer than the route's change, so that its state is known once this one is.
        set_all("fastpay", one, two, server=first, route="GET /v1/charges")
        yield one, two
        set_all("legacy", one, two, server=first)


def watched(server: RunningServer) -> dict[str, tuple[int, int, int, int]]:
    """Return what the guardrails know of the route since it was set."""
    rows = fetch(
        server.database_url,
        "select * from rollout_guard where route = $1 and change_id = "
        "(select max(change_id) from rollout_change where route = $1 and state = 'split')",
        ROUTE,
    )
    return {
        row["metric"]: (row["legacy"], row["legacy_bad"], row["fastpay"], row["fastpay_bad"]) for row in rows
    }


def wait_until_back(*clients: httpx.Client) -> None:
    """Return once each instance lets the older API answer what is new."""
    end_s = time.monotonic() + PATIENCE_SECONDS
    for client in clients:
        while side_of(client.post(PATH, data=GOOD)) != "legacy":
            assert time.monotonic() < end_s, "the route was not rolled back"
            time.sleep(0.05)


def test_a_route_on_which_more_is_declined_goes_back_on_all_instances_and_stays_there(
    instances: tuple[RunningServer, RunningServer], pair: tuple[httpx.Client, httpx.Client]
) -> None:
    server, clients = instances[0], pair
    harmed, end_s = 0, time.monotonic() + PATIENCE_SECONDS
    while True:
        one = clients[harmed % 2]
        # The older API takes the same payments.
        assert side_of(one.post(PATH, data=DECLINED | OLD)) == "legacy"
        answer = one.post(PATH, data=DECLINED)
        if side_of(answer) == "legacy":
            break
        assert answer.status_code == 402
        harmed += 1
        assert time.monotonic() < end_s, watched(server)
    wait_until_back(*clients)
    (change,) = fetch(
        server.database_url,
        "select * from rollout_change where route = $1 order by change_id desc limit 1",
        ROUTE,
    )
    assert (change["state"], change["changed_by"]) == ("legacy", "guardrail")
    assert change["reason"].startswith("declines: ")
    assert f"red: rolled back: {change['reason']}" in run_rollout(server, "status")
    assert change["reason"] in run_rollout(server, "history")
    # It is latched until a person says that it may be moved again.
    for state in ("split=1", "fastpay", "legacy"):
        assert "was rolled back" in run_rollout(server, "set", ROUTE, state, fails=True)
    assert "was rolled back" in run_rollout(server, "set", "*", "fastpay", fails=True)
    run_rollout(server, "rearm", ROUTE, "--by", "tester")
    run_rollout(server, "set", ROUTE, "split=1", "--by", "tester")
    assert "was not rolled back" in run_rollout(server, "rearm", ROUTE, fails=True)


def test_a_route_on_which_both_sides_are_alike_stays_split(
    instances: tuple[RunningServer, RunningServer],
    pair: tuple[httpx.Client, httpx.Client],
    legacy: RawLegacy,
) -> None:
    legacy.answers[PATH] = answer_of({"error": {}}, "402 Payment Required")
    for number in range(40):
        client = pair[number % 2]
        assert side_of(client.post(PATH, data=DECLINED | OLD)) == "legacy"
        assert side_of(client.post(PATH, data=DECLINED)) == "fastpay"
    end_s = time.monotonic() + PATIENCE_SECONDS
    # Both instances add to what is known, and nothing is lost or counted twice.
    while watched(instances[0]).get("declines") != (40, 40, 40, 40):
        assert time.monotonic() < end_s, watched(instances[0])
        time.sleep(0.1)
    known = watched(instances[0])
    assert known["errors"] == (40, 0, 40, 0)
    assert "green" in run_rollout(instances[0], "report")


def test_a_key_that_both_sides_have_carried_out_rolls_back_at_once(
    instances: tuple[RunningServer, RunningServer], pair: tuple[httpx.Client, httpx.Client]
) -> None:
    """Nothing should make that possible, so it is planted."""
    server, (one, two) = instances[0], pair
    assert side_of(one.post(PATH, data=GOOD, headers={"Idempotency-Key": "twice"})) == "fastpay"
    execute(
        server.database_url,
        "update rollout_key set side = 'legacy', bound_at = clock_timestamp() where digest = "
        "(select digest from idempotency where idempotency_key = 'twice' limit 1)",
    )
    wait_until_back(one, two)
    (change,) = fetch(
        server.database_url,
        "select reason from rollout_change where route = $1 order by change_id desc limit 1",
        ROUTE,
    )
    assert change["reason"] == "twice: 1 idempotency keys were carried out by both sides"
    execute(server.database_url, "delete from rollout_key")


def test_a_split_route_that_nothing_has_reached_is_red(
    instances: tuple[RunningServer, RunningServer], pair: tuple[httpx.Client, httpx.Client]
) -> None:
    assert f"{ROUTE}  red: nothing has reached fastpay" in run_rollout(
        instances[0], "report", "--check", fails=True
    )


REFUNDS, CAPTURES = "POST /v1/refunds", f"{ROUTE}/{{id}}/capture"


def split_refunds(server: RunningServer, *clients: httpx.Client) -> None:
    """Split refunds, too, and return once each instance knows."""
    insert(server, REFUNDS, "split=100")
    set_all("legacy", *clients, server=server, route="GET /v1/charges")


def test_what_both_sides_have_charged_is_summed_and_held_against_the_book(
    instances: tuple[RunningServer, RunningServer],
    pair: tuple[httpx.Client, httpx.Client],
    legacy: RawLegacy,
) -> None:
    server, (one, two) = instances[0], pair
    insert(server, CAPTURES, "split=100")
    split_refunds(server, one, two)
    said = {"object": "payment_intent", "status": "succeeded", "amount_received": 700, "currency": "usd"}
    legacy.answers[PATH] = answer_of(said)
    for client in pair:
        # The second one replays the first answer, which charges nothing.
        paid = client.post(PATH, data=GOOD, headers={"Idempotency-Key": "once"})
        assert (side_of(paid), paid.status_code) == ("fastpay", 200)
        assert side_of(client.post(PATH, data=GOOD | OLD)) == "legacy"
    assert one.post(PATH, data=DECLINED).status_code == 402
    # Without an idempotency key, too.
    refund = two.post("/v1/refunds", data={"payment_intent": paid.json()["id"], "amount": "500"})
    assert (side_of(refund), refund.status_code) == ("fastpay", 200)

    held = one.post(PATH, data=GOOD | {"capture_method": "manual"}).json()
    captured = two.post(f"{PATH}/{held['id']}/capture", data={"amount_to_capture": "1500"})
    assert (side_of(captured), captured.json()["amount_received"]) == ("fastpay", 1500)

    def sums(route: str) -> dict[str, int]:
        counted = wait_for(server, route, lambda counted: any(name[:4] == "book" for _, name in counted))
        named = ((name.split(" "), count) for (measure, name), count in counted.items() if measure == "money")
        return {f"{side} {mode} {kind} {currency}": count for (side, _, mode, kind, currency), count in named}

    assert sums(REFUNDS) == {"fastpay test refund usd": 500, "book test refund usd": 500}
    assert sums(CAPTURES) == {"fastpay test charge usd": 1500, "book test charge usd": 1500}
    expected = {"legacy test charge usd": 1400, "fastpay test charge usd": 1999, "book test charge usd": 1999}
    wait_for(server, ROUTE, lambda counted: sums(ROUTE) == expected)
    report = run_rollout(server, "report")
    assert "test charge usd: legacy 1400, fastpay 1999, book of fastpay 1999" in report
    assert f"{ROUTE}  green" in report


def test_an_answer_that_the_book_belies_rolls_back_all_split_routes(
    instances: tuple[RunningServer, RunningServer], pair: tuple[httpx.Client, httpx.Client]
) -> None:
    """A book that loses a cent is planted: the last test, as its verification would find that, too."""
    server, (one, two) = instances[0], pair
    split_refunds(server, one, two)
    execute(
        server.database_url,
        "create function lose_a_cent() returns trigger language plpgsql as "
        "$$ begin new.amount := new.amount - 1; return new; end $$; "
        "create trigger lose_a_cent before insert on transfer for each row when (new.kind = 'capture') "
        "execute function lose_a_cent()",
    )
    try:
        paid = one.post(PATH, data=GOOD)
        assert (side_of(paid), paid.json()["amount_received"]) == ("fastpay", 1999)
        wait_until_back(one, two)
    finally:
        execute(server.database_url, "drop function lose_a_cent() cascade")
    changes = fetch(
        server.database_url,
        "select distinct on (route) route, state, reason from rollout_change where route = any($1) "
        "order by route, change_id desc",
        [ROUTE, REFUNDS],
    )
    reason = (
        f"money: the answer about the charge of {paid.json()['latest_charge']} says 1999 usd, "
        "the book has 1998 usd"
    )
    assert [tuple(row) for row in changes] == [(ROUTE, "legacy", reason), (REFUNDS, "legacy", reason)]
