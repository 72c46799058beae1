"""Events reach their endpoints over HTTP, whatever the receiver does."""

from tests.relay.shop import Shop, check_history
from tests.support.receiver import Receiver


def test_everything_is_delivered_once_and_acknowledged(shop: Shop, receiver: Receiver) -> None:
    endpoint = shop.endpoint(f"{receiver.url}/all")
    shop.make_events(30)
    receiver.wait_for(lambda: shop.is_delivered(endpoint))
    assert check_history(shop, receiver, "all") == 0
    assert [row["status"] for row in shop.attempts(endpoint)] == [200] * len(shop.wanted())
