"""Three servers deliver for one tenant while they are killed, frozen and stopped. A history agrees.

`make soak` does it for long, with many more faults: `tests/bank/soak.py`.
"""

import os
import signal
import threading
from datetime import datetime, timedelta
from typing import NamedTuple

from fastpay import limits
from tests.relay.shop import ENVIRONMENT, Shop, check_history
from tests.support.receiver import Receiver
from tests.support.servers import SpawnServer, execute, fetch

# How many events come in between.
EVENTS = 10
# The first beat after the loss finds the endpoints, unless it looked just before.
BEATS_MAX = 2
# What instances and holders did, by the database's clock: the moments are data, however busy the machine is.
_LOG = """
create table relay_log (at timestamptz, what text, instance_id uuid, endpoint_id uuid, fence bigint);
create function log_beat() returns trigger language plpgsql as $$
begin
    insert into relay_log values (new.seen_at, 'beat', new.instance_id);
    return null;
end $$;
create function log_holder() returns trigger language plpgsql as $$
begin
    insert into relay_log values (
        clock_timestamp(), case when new.holder is null then 'released' else 'held' end, new.holder,
        new.webhook_endpoint_id, new.fence
    );
    return null;
end $$;
create trigger logged after insert or update on webhook_instance for each row execute function log_beat();
create trigger logged_first after insert on webhook_cursor for each row execute function log_holder();
create trigger logged after update on webhook_cursor for each row
    when (new.holder is distinct from old.holder or new.fence <> old.fence) execute function log_holder();
"""


class Noted(NamedTuple):
    """A beat of an instance, or a change of the holder of an endpoint."""

    at: datetime
    what: str
    instance_id: str
    endpoint_id: str
    fence: int


class Handover(NamedTuple):
    """An endpoint that one instance had, and that another one took over."""

    lost: datetime
    taken: datetime
    beats: int
    was_released: bool


def handovers(database_url: str) -> list[Handover]:
    """Return every change of the holder of an endpoint.

    An endpoint that was not released is lost when the last beat of its holder before that is a lease old.
    `beats` are those of the next holder after the loss, up to when it has the endpoint.
    """
    columns = "at, what, instance_id::text, endpoint_id::text, fence"
    noted = [Noted(*row) for row in fetch(database_url, f"select {columns} from relay_log order by at")]
    lease = timedelta(milliseconds=limits.relay_lease_ms)

    def beats(of: str) -> list[datetime]:
        return [one.at for one in noted if one.what == "beat" and one.instance_id == of]

    found = []
    for endpoint in {one.endpoint_id for one in noted if one.endpoint_id}:
        own = [one for one in noted if one.endpoint_id == endpoint]
        holder, released = "", None
        for one in own:
            if one.what == "released":
                released = one.at
                continue
            if holder:
                lost = released or max(at for at in beats(holder) if at < one.at) + lease
                count = sum(lost < at <= one.at for at in beats(one.instance_id))
                found.append(Handover(lost, one.at, count, released is not None))
            holder, released = one.instance_id, None
    return found


def shares(shop: Shop) -> list[int]:
    """Return how many endpoints each instance holds."""
    statement = (
        "select count(*)::integer from webhook_cursor where holder is not null group by holder order by 1"
    )
    return [row[0] for row in fetch(shop.server.database_url, statement)]


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
    spawn_server: SpawnServer, receiver: Receiver, database_url: str, redis_url: str
) -> None:
    """Others take over with their first beat after a lease has ended, or after an endpoint was released."""
    shared = {"FASTPAY_DATABASE_URL": database_url, "FASTPAY_REDIS_URL": redis_url, **ENVIRONMENT}
    execute(database_url, _LOG)
    first, second, third = (spawn_server(environment=shared, wait=False) for _ in range(3))
    for server in (first, second, third):
        server.wait_ready()
    shop = Shop(first)
    orders = ("parallel", "object", "strict", "parallel")
    paths = {
        shop.endpoint(f"{receiver.url}/kill_{n}", order=order): f"kill_{n}" for n, order in enumerate(orders)
    }
    with Observer(shop, receiver, paths) as observer:
        receiver.wait_for(lambda: shares(shop) == [1, 1, 2])
        # In the middle of deliveries one is killed, and one stands still past its lease.
        shop.make_events(EVENTS)
        second.kill()
        os.kill(third.pid, signal.SIGSTOP)
        shop.make_events(EVENTS)
        receiver.wait_for(shop.is_all_delivered)
        # The one that goes on moves nothing, and gets its share.
        os.kill(third.pid, signal.SIGCONT)
        receiver.wait_for(lambda: shares(shop) == [2, 2])
        shop.make_events(EVENTS)
        # An orderly stop, in the middle of deliveries.
        assert third.stop() == 0
        receiver.wait_for(shop.is_all_delivered)
    assert observer.faults == []
    assert observer.looks > 0
    for path in paths.values():
        check_history(shop, receiver, path)
    strict = receiver.acknowledged("kill_2")
    firsts = list(dict.fromkeys(strict))
    assert firsts == sorted(firsts)
    found = handovers(database_url)
    # Nobody takes over what another one may still deliver.
    assert [one for one in found if one.taken < one.lost] == []
    assert [one for one in found if one.beats > BEATS_MAX] == []
    # The shares of the one that was killed and of the one that stood still; and that of the one that stopped.
    assert sum(not one.was_released for one in found) >= 2
    assert [one.was_released for one in sorted(found)][-2:] == [True, True]
