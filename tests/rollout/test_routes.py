"""Which side answers, in front of an older API, on two instances that share a database."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.rollout.states import insert, run_rollout, set_all, side_of
from tests.support.api import open_client
from tests.support.legacy import RawLegacy
from tests.support.servers import RunningServer, execute, fetch, running_server
from tests.support.tenants import make_tenant

TURNS_MAX = 50
PAYMENT = {"amount": "1999", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true"}
OLD_CHARGE, OLD_CUSTOMER = "ch_OldCharge1234", "cus_OldCustomer1"


class Pair(NamedTuple):
    """Two instances, with a client of each that has the same key."""

    server: RunningServer
    one: httpx.Client
    two: httpx.Client

    def set(self, state: str) -> None:
        """Set all routes, and wait until both instances know."""
        set_all(state, self.one, self.two, server=self.server)


@pytest.fixture(scope="module")
def instances(legacy: RawLegacy, cluster: Path) -> Iterator[tuple[RunningServer, RunningServer]]:
    """Two instances in front of one older API."""
    environment = {"FASTPAY_LEGACY_URL": legacy.url, "FASTPAY_REDIS_COPIES": "false"}
    with running_server("routes-one", cluster, environment=environment) as first:
        shared = environment | {"FASTPAY_DATABASE_URL": first.database_url}
        with running_server("routes-two", cluster, environment=shared) as second:
            yield first, second


@pytest.fixture
def pair(instances: tuple[RunningServer, RunningServer]) -> Iterator[Pair]:
    """Both, for a new tenant."""
    first, second = instances
    secret = make_tenant(first.database_url).secret
    with open_client(first.url, secret) as one, open_client(second.url, secret) as two:
        yield Pair(first, one, two)


def pay(client: httpx.Client, key: str | None = None, **more: str) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return client.post("/v1/payment_intents", data=PAYMENT | more, headers=headers)


def test_a_change_takes_effect_on_all_instances_and_is_kept(pair: Pair) -> None:
    pair.set("fastpay")
    assert [side_of(pay(client)) for client in (pair.one, pair.two)] == ["fastpay", "fastpay"]
    pair.set("legacy")
    assert [side_of(pay(client)) for client in (pair.one, pair.two)] == ["legacy", "legacy"]
    run_rollout(pair.server, "set", "GET /v1/charges", "fastpay", "--by", "tester")
    set_all("fastpay", pair.one, pair.two, server=pair.server, route="GET /v1/charges")
    assert side_of(pay(pair.one)) == "legacy"
    status = run_rollout(pair.server, "status")
    assert "GET /v1/charges  fastpay  since " in status
    assert "POST /v1/payment_intents  legacy  since " in status
    newest = run_rollout(pair.server, "history", "--limit", "2")
    assert newest.count("GET /v1/charges  fastpay  tester") == newest.count("\n") == 2


def test_the_newest_change_counts_also_if_it_is_of_all_routes(pair: Pair) -> None:
    set_all("fastpay", pair.one, server=pair.server, route="GET /v1/charges")
    pair.set("legacy")
    assert side_of(pair.two.get("/v1/charges")) == "legacy"


def test_unknown_routes_and_states_are_refused(pair: Pair) -> None:
    assert "did you mean" in run_rollout(pair.server, "set", "POST /v1/payment_intent", "legacy", fails=True)
    for state in ("split", "split=101", "split=-1", "split=x", "shadows", ""):
        assert "split=N" in run_rollout(pair.server, "set", "*", state, fails=True)


@pytest.mark.parametrize("state", ["legacy", "fastpay"])
def test_an_object_stays_where_it_was_made_whatever_its_routes_are(
    pair: Pair, legacy: RawLegacy, state: str
) -> None:
    pair.set("fastpay")
    paid = pay(pair.one, capture_method="manual").json()
    pair.set(state)
    before = len(legacy.heard)
    # More than once: after the first time, an instance might answer from its cache alone.
    for client in (pair.one, pair.two) * 3:
        shown = client.get(f"/v1/payment_intents/{paid['id']}")
        assert (side_of(shown), shown.json()["id"]) == ("fastpay", paid["id"])
    captured = pair.two.post(f"/v1/payment_intents/{paid['id']}/capture")
    assert (side_of(captured), captured.json()["status"]) == ("fastpay", "succeeded")
    refunded = pair.one.post("/v1/refunds", data={"charge": paid["latest_charge"], "amount": "5"})
    assert (side_of(refunded), refunded.json()["status"]) == ("fastpay", "succeeded")
    listed = pair.one.get("/v1/refunds", params={"charge": paid["latest_charge"]})
    assert [one["id"] for one in listed.json()["data"]] == [refunded.json()["id"]]
    assert len(legacy.heard) == before
    for answer in (
        pair.one.get(f"/v1/charges/{OLD_CHARGE}"),
        pair.one.post(f"/v1/charges/{OLD_CHARGE}", data={"description": paid["id"]}),
        pair.two.post("/v1/refunds", data={"charge": OLD_CHARGE}),
        pair.two.get("/v1/charges", params={"customer": OLD_CUSTOMER}),
        pay(pair.one, customer=OLD_CUSTOMER),
    ):
        assert (side_of(answer), answer.content) == ("legacy", b"ok")


def test_a_body_that_chose_the_side_arrives_whole(pair: Pair, legacy: RawLegacy) -> None:
    pair.set("legacy")
    pay(pair.one, customer=OLD_CUSTOMER)
    heard = legacy.last("/v1/payment_intents")
    assert heard.body.startswith(b"amount=1999&")
    assert heard.values("content-length") == [str(len(heard.body))]
    assert heard.values("authorization") == [pair.one.headers["authorization"]]


def test_an_idempotency_key_stays_with_the_side_that_saw_it_first(pair: Pair, legacy: RawLegacy) -> None:
    pair.set("fastpay")
    first = pay(pair.one, "order-1")
    pair.set("legacy")
    assert pay(pair.one, "order-2").content == b"ok"
    before = len(legacy.heard)
    again = pay(pair.two, "order-1")
    assert (again.content, side_of(again)) == (first.content, "fastpay")
    assert again.headers["idempotent-replayed"] == "true"
    assert len(legacy.heard) == before
    pair.set("fastpay")
    assert side_of(pay(pair.two, "order-2")) == "legacy"
    # Another tenant's key is another key.
    with open_client(str(pair.one.base_url), make_tenant(pair.server.database_url).secret) as other:
        assert side_of(pay(other, "order-2")) == "fastpay"


def test_a_key_with_a_first_answer_here_belongs_here_though_it_was_never_bound(pair: Pair) -> None:
    """fastpay may have served a route before it stood in front of an older API."""
    pair.set("fastpay")
    first = pay(pair.one, "before")
    execute(pair.server.database_url, "delete from rollout_key")
    pair.set("legacy")
    assert pay(pair.one, "before").content == first.content


def test_one_side_executes_a_key_while_instances_disagree(pair: Pair, legacy: RawLegacy) -> None:
    """Sixteen attempts of each key race, over two instances, while the route is changed again and again."""
    pair.set("fastpay")
    sides: dict[str, set[str]] = {}
    stop = threading.Event()

    def flip() -> None:
        while not stop.is_set():
            for state in ("legacy", "fastpay"):
                insert(pair.server, "*", state)

    def attempt(client: httpx.Client, keys: list[str]) -> None:
        with open_client(str(client.base_url), client.headers["authorization"][7:]) as own:
            for key in keys:
                sides[key].add(side_of(pay(own, key)))

    def race(turn: int) -> None:
        keys = [f"race-{turn}-{number}" for number in range(24)]
        sides.update((key, set()) for key in keys)
        attempts = [
            threading.Thread(target=attempt, args=(client, keys)) for client in (pair.one, pair.two) * 8
        ]
        for thread in attempts:
            thread.start()
        for thread in attempts:
            thread.join()

    flipping = threading.Thread(target=flip)
    flipping.start()
    for turn in range(TURNS_MAX):
        race(turn)
        # Instances look at the routes now and then: a quick race may be over before one of them has.
        if len(set().union(*sides.values())) > 1:
            break
    stop.set()
    flipping.join()
    assert set().union(*sides.values()) == {"fastpay", "legacy"}
    assert all(len(one) == 1 for one in sides.values()), sides
    kept = fetch(pair.server.database_url, "select idempotency_key from idempotency")
    here = {one["idempotency_key"] for one in kept}
    there = {value for one in legacy.heard for value in one.values("idempotency-key")}
    assert not here & there & set(sides)
    assert set(sides) <= here | there


def test_a_split_sends_each_customer_to_one_side_and_its_payments_follow(pair: Pair) -> None:
    pair.set("legacy")
    insert(pair.server, "POST /v1/customers", "split=50")
    set_all("fastpay", pair.one, pair.two, server=pair.server, route="GET /v1/charges")
    emails = [f"{number}@shop.example" for number in range(40)]
    first = {email: pair.one.post("/v1/customers", data={"email": email}) for email in emails}
    again = {email: pair.two.post("/v1/customers", data={"email": email}) for email in emails}
    assert {email: side_of(one) for email, one in first.items()} == {
        email: side_of(one) for email, one in again.items()
    }
    here = [one.json()["id"] for one in first.values() if side_of(one) == "fastpay"]
    assert 8 <= len(here) <= 32
    assert side_of(pay(pair.two, customer=here[0])) == "fastpay"


def test_clients_that_are_not_known_here_stay_with_the_older_api(pair: Pair) -> None:
    pair.set("fastpay")
    pair.set("split=100")
    assert side_of(pay(pair.one)) == "fastpay"
    with open_client(str(pair.one.base_url), "sk_test_OldKeyOfTheOtherSide") as stranger:
        assert side_of(stranger.get("/v1/charges")) == "legacy"
        assert side_of(pay(stranger, "order-1")) == "legacy"
        pair.set("fastpay")
        answer = pay(stranger, "order-1")
        assert (side_of(answer), answer.status_code) == ("fastpay", 401)


def test_nobody_changes_what_was_changed(pair: Pair) -> None:
    for statement in ("update rollout_change set state = 'legacy'", "delete from rollout_change"):
        with pytest.raises(Exception, match="never change"):
            execute(pair.server.database_url, statement)
