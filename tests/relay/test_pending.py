"""What events say of their deliveries: how many endpoints have not acknowledged them."""

from typing import Any

from tests.relay.shop import Shop
from tests.support.receiver import Receiver


def numbers(shop: Shop, **query: Any) -> list[int]:
    with shop.client() as client:
        answer = client.get("/v1/events", params=query)
    assert answer.status_code == 200, answer.text
    return [event["sequence"] for event in answer.json()["data"]]


def pending(shop: Shop, receiver: Receiver) -> dict[int, int]:
    with shop.client() as client:
        answer = client.get("/v1/events", params={"limit": 100})
        assert answer.status_code == 200, answer.text
        listed = answer.json()["data"]
        for event in (listed[0], listed[-1]):
            # It is shown for a while with the count that was read first.
            receiver.wait_for(lambda: client.get(f"/v1/events/{event['id']}").json() == event)  # noqa: B023
    return {event["sequence"]: event["pending_webhooks"] for event in listed}


def test_an_event_counts_the_endpoints_that_have_not_acknowledged_it(shop: Shop, receiver: Receiver) -> None:
    receiver.behave(pending_bad="500")
    good = shop.endpoint(f"{receiver.url}/pending_good", "customer.*")
    bad = shop.endpoint(f"{receiver.url}/pending_bad", "customer.*")
    shop.make_events(3)
    receiver.wait_for(lambda: shop.is_delivered(good) and shop.state(bad)["position"] == shop.sequence())
    made = shop.wanted(["customer.created"])
    others = sorted(set(shop.wanted()) - set(made))
    assert pending(shop, receiver) == dict.fromkeys(others, 0) | dict.fromkeys(made, 1)
    # The newest events are delivered, the failed ones are below them.
    receiver.behave(pending_bad="ok")
    shop.make_events(4)
    later = shop.wanted(["customer.created"])[3:]
    receiver.wait_for(lambda: set(later) <= set(receiver.acknowledged("pending_bad")))
    receiver.wait_for(lambda: shop.state(bad)["position"] == shop.sequence())
    left = [number for number, count in pending(shop, receiver).items() if count]
    assert set(left) <= set(made)
    assert numbers(shop, delivery_success="false") == left
    rest = sorted(set(shop.wanted()) - set(left), reverse=True)
    assert numbers(shop, delivery_success="true") == rest
    assert numbers(shop, delivery_success="true", limit=2) == rest[:2]
    assert numbers(shop, delivery_success="false", limit=1) == left[:1]
    assert numbers(shop, delivery_success="false", type="customer.deleted") == []
    with shop.client() as client:
        oldest = client.get("/v1/events", params={"limit": 100}).json()["data"][-1]
    backwards = {"ending_before": oldest["id"], "delivery_success": "false"}
    assert numbers(shop, **backwards) == [number for number in left if number > oldest["sequence"]]
    assert numbers(shop, after_sequence=0, delivery_success="false", limit=100) == left[::-1]
