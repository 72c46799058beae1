"""Two servers deliver for one tenant while they are killed, frozen and stopped. A history agrees."""

import os
import signal
import threading
from pathlib import Path

from tests.relay.shop import ENVIRONMENT, Shop, check_history
from tests.support.receiver import Receiver
from tests.support.seeds import size
from tests.support.servers import RunningServer, SpawnServer, fetch

# How often everything happens, and how many events come in between.
ROUNDS, EVENTS = size(1, soak=20), size(10, soak=100)


def holders(shop: Shop) -> set[str]:
    """Return the instances that hold endpoints."""
    statement = "select holder::text from webhook_cursor where holder is not null"
    return {row[0] for row in fetch(shop.server.database_url, statement)}


class Observer:
    """Reads what endpoints claim to have received, and finds no claim that is not true."""

    def __init__(self, shop: Shop, receiver: Receiver, paths: dict[str, str]) -> None:
        self._shop, self._receiver, self._paths = shop, receiver, paths
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._through = dict.fromkeys(paths, 0)
        self.faults: list[str] = []
        self.looks = 0

    def __enter__(self) -> "Observer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._is_over.wait(0.2):
            for endpoint, path in self._paths.items():
                through = max(0, self._shop.state(endpoint)["delivered_through"] or 0)
                missing = {one for one in self._shop.wanted() if one <= through} - set(
                    self._receiver.acknowledged(path)
                )
                if missing or through < self._through[endpoint]:
                    self.faults.append(f"{path} claims {through} after {self._through[endpoint]}: {missing}")
                self._through[endpoint] = through
                self.looks += 1


def test_nothing_is_lost_while_instances_are_killed_frozen_and_stopped(
    spawn_server: SpawnServer, receiver: Receiver, scratch: Path
) -> None:
    first = spawn_server(environment=ENVIRONMENT)
    shared = {"FASTPAY_DATABASE_URL": first.database_url, "FASTPAY_REDIS_URL": first.redis_url, **ENVIRONMENT}
    shop = Shop(first)
    orders = ("parallel", "object", "strict", "parallel")
    paths = {
        shop.endpoint(f"{receiver.url}/kill_{n}", order=order): f"kill_{n}" for n, order in enumerate(orders)
    }

    def spawn() -> RunningServer:
        return spawn_server(environment=shared)

    def is_done() -> bool:
        return all(map(shop.is_delivered, paths))

    with Observer(shop, receiver, paths) as observer:
        for _ in range(ROUNDS):
            second = spawn()
            receiver.wait_for(lambda: len(holders(shop)) == 2)
            shop.make_events(EVENTS)
            # A kill: its endpoints are taken over when its lease has ended.
            second.kill()
            shop.make_events(EVENTS)
            receiver.wait_for(is_done)
            # It stands still past its lease, while others go on; then it moves nothing.
            third = spawn()
            receiver.wait_for(lambda: len(holders(shop)) == 2)
            os.kill(third.pid, signal.SIGSTOP)
            shop.make_events(EVENTS)
            receiver.wait_for(is_done)
            os.kill(third.pid, signal.SIGCONT)
            receiver.wait_for(lambda: len(holders(shop)) == 2)
            # An orderly stop, in the middle of deliveries.
            shop.make_events(EVENTS)
            third.stop()
            receiver.wait_for(is_done)
    assert observer.faults == []
    assert observer.looks > 0
    for path in paths.values():
        check_history(shop, receiver, path)
    strict = receiver.acknowledged("kill_2")
    firsts = list(dict.fromkeys(strict))
    assert firsts == sorted(firsts)
