"""Two instances in front of an older API, and a PostgreSQL for each side: all of them may be killed."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from fastpay.operations.embedded import children
from fastpay.operations.embedded.access import run_servers
from fastpay.operations.embedded.directory import DataDirectory
from fastpay.operations.embedded.servers import EmbeddedServers
from tests.support.old_shop import OldShop, running_shop
from tests.support.seeds import SEED
from tests.support.servers import (
    NUMBERS,
    PATIENCE_SECONDS,
    RunningServer,
    copy_cluster,
    end_server,
    free_port,
    start_server,
)


class BothSides:
    """What runs. Each method that kills something starts it again, and returns once it serves."""

    def __init__(
        self, scratch: Path, *, ours: EmbeddedServers, theirs: EmbeddedServers, shop: OldShop
    ) -> None:
        self.database_url, self.legacy_database_url = _url(ours), _url(theirs)
        self.instances: list[RunningServer] = []
        self._scratch = scratch
        self._ours = ours
        self._theirs = theirs
        self._shop = shop
        self._ports = [free_port(), free_port()]

    @property
    def urls(self) -> list[str]:
        """The addresses of the instances, which stay."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    def open(self) -> None:
        """Start both instances."""
        self.instances = [self._launch(number) for number in (0, 1)]
        for instance in self.instances:
            instance.wait_ready()

    def close(self) -> None:
        """End both instances."""
        for instance in self.instances:
            end_server(instance)

    def kill_instance(self) -> None:
        """Kill -9 an instance of fastpay, now this one and now that one."""
        self.instances[0].kill()
        self._replace_instance().wait_ready()

    def kill_legacy(self) -> None:
        """Kill -9 all processes of the older API."""
        self._shop.kill()
        self._shop.launch()
        self._shop.wait_ready()

    def kill_both(self) -> None:
        """Kill -9 an instance of fastpay and the older API at the same time."""
        self._shop.kill()
        self.instances[0].kill()
        self._shop.launch()
        self._replace_instance().wait_ready()
        self._shop.wait_ready()

    def kill_database(self) -> None:
        """Kill -9 fastpay's PostgreSQL and all its backends."""
        _kill(self._ours)

    def kill_legacy_database(self) -> None:
        """Kill -9 the older API's PostgreSQL and all its backends."""
        _kill(self._theirs)

    def kills(self, turn: int, *, is_long: bool) -> tuple[Callable[[], None], ...]:
        """Return what kills the processes of both sides, and the one database or the other in turns.

        Which one is first depends on the seed, so that runs reach every state with each. A long run kills all
        of them each time, and processes one by one as well.
        """
        databases = (self.kill_database, self.kill_legacy_database)
        if is_long:
            return (self.kill_both, *databases, self.kill_instance, self.kill_legacy)
        return (self.kill_both, databases[(turn + SEED) % len(databases)])

    def _replace_instance(self) -> RunningServer:
        started = self._launch(0)
        self.instances = [self.instances[1], started]
        self._ports.reverse()
        return started

    def _launch(self, number: int) -> RunningServer:
        environment = {
            "FASTPAY_DATABASE_URL": self.database_url,
            "FASTPAY_LEGACY_URL": self._shop.url,
            "FASTPAY_REDIS_COPIES": "false",
            # A busy machine is no reason for a guardrail to go back.
            "FASTPAY_ROLLOUT_SLOW_MS": "600000",
        }
        place = self._scratch / f"mover{next(NUMBERS)}"
        port = str(self._ports[number])
        return start_server(place, self._scratch, "--port", port, environment=environment)


@contextlib.contextmanager
def both_sides(cluster: Path) -> Iterator[BothSides]:
    """Run everything for the block, on databases of its own."""
    with contextlib.ExitStack() as stack:
        scratch, databases = cluster.parent, []
        for _ in range(2):
            place = scratch / f"side{next(NUMBERS)}"
            copy_cluster(cluster, place)
            directory = stack.enter_context(DataDirectory(place))
            databases.append(
                stack.enter_context(run_servers(directory, with_postgres=True, with_redis=False))
            )
        for database in databases:
            database.wait_ready()
        shop = stack.enter_context(running_shop(_url(databases[1])))
        made = BothSides(scratch, ours=databases[0], theirs=databases[1], shop=shop)
        stack.callback(made.close)
        made.open()
        yield made


def _url(servers: EmbeddedServers) -> str:
    assert servers.database_url is not None
    return servers.database_url


def _kill(servers: EmbeddedServers) -> None:
    postgres = servers._postgres
    assert postgres is not None
    for pid in children.living_in(postgres.cluster):
        children.send(pid, signal.SIGKILL)
    assert children.wait_until(postgres.has_ended, timeout_ms=PATIENCE_SECONDS * 1000)
    postgres.launch()
    postgres.wait_ready()
