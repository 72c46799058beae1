"""Operators have events delivered again, and see the attempts with the answers."""

from tests.relay.shop import Shop
from tests.support.api import open_client
from tests.support.operators import get, join, notes_of, send
from tests.support.receiver import Receiver

TYPE = "customer.created"


def test_an_operator_replays_one_event_a_type_and_a_range_and_sees_the_attempts(
    shop: Shop, receiver: Receiver
) -> None:
    path = "console-replays"
    endpoint = shop.endpoint(f"{receiver.url}/{path}", TYPE)
    shop.make_events(3)
    receiver.wait_for(lambda: len(receiver.got(path)) == 3)
    url = shop.server.admin_url
    with open_client(url, headers={"Origin": url}) as http:
        bob = join(http, shop.server, role="operate")
        page = f"/console/endpoints/{shop.scope.tenant_id}/test/{endpoint}"
        numbers = shop.wanted([TYPE])
        # They may have come in any order.
        second = next(
            line["headers"]["webhook-id"]
            for line in receiver.got(path)
            if line["headers"]["fastpay-sequence"] == str(numbers[1])
        )
        for count, fields in (
            (4, {"event": second}),
            (6, {"from": str(numbers[0]), "to": str(numbers[1])}),
            (9, {"from": "1", "types": TYPE}),
        ):
            answer = send(http, page, f"{page}/replay", bob, **fields)
            assert (answer.status_code, answer.headers.get("location")) == (303, page), answer.text
            receiver.wait_for(lambda count=count: len(receiver.got(path)) == count)  # type: ignore[misc]
        assert receiver.got(path)[3]["headers"]["webhook-id"] == second
        assert [action for action, _ in notes_of(shop.server, endpoint)] == ["endpoint.replayed"] * 3
        shown = get(http, page, bob).text
        assert shown.count("<li>") == 3
        receiver.wait_for(lambda: len(shop.attempts(endpoint)) == 9)
        assert get(http, page, bob).text.count(f"{TYPE}<br>") == 9
        assert get(http, f"{page}?event={second}", bob).text.count(f"{TYPE}<br>") == 4
        assert get(http, f"{page}?failed=1", bob).text.count(f"{TYPE}<br>") == 0
        with shop.client() as client:
            customer = client.get("/v1/customers").json()["data"][-1]["id"]
        timeline = get(http, f"/console/objects/{shop.scope.tenant_id}/test/{customer}", bob).text
        assert f"/{endpoint}?event=" in timeline
