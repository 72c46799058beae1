"""What does fastpay cost in front of an older API, and how soon does it go back from a fault?

Run: python -m benchmarks.rollout [--seconds 10 --rounds 3 --connections 16 --place apart]

What passing on costs is measured as `benchmarks/passing.py` says: with everything on the same cores, where
each microsecond of fastpay's is one less for the older API, and with the older API and its database on cores
of their own, as in use.

Then payments are split in half on two instances, and of those of fastpay's half the processor declines every
tenth. What is asked for: less than 1 ms more at the 99th percentile, less than 5 % of the older API's
throughput, and all payments back at the older API within 10 s on both instances.
"""

import time
from contextlib import ExitStack
from http.client import HTTPConnection

import click
import msgspec
from rich.console import Console

from benchmarks.load import older
from benchmarks.load.machine import Database, Machine, empty_database, fetch_value, run_on
from benchmarks.load.report import WIDTH, to_record
from benchmarks.load.serving import Target, machine_facts, write_results
from benchmarks.passing import (
    APART,
    FAST,
    FLASK,
    PAYMENTS,
    READS,
    SHARED,
    WAITING,
    Place,
    both_ways,
    measure,
    place_apart,
    serve_in_front,
    shared_place,
    show,
)
from fastpay.engine.rollout.choice import FASTPAY, LEGACY, RouteState, choose
from fastpay.store.rollout import set_route

_OLDER = (FLASK, WAITING, FAST)
_ROUTE = "POST /v1/payment_intents"
# One of them at least is drawn for fastpay, for all that chance can do.
_TENANTS = 24
# Of twenty payments in a row, one at each of two instances that take turns.
_FAULTY = (0, 11)
_GIVE_UP_SECONDS = 60.0
_FORM = "amount=1999&currency=usd&confirm=true&payment_method="
_GOOD, _DECLINED = _FORM + "pm_card_visa", _FORM + "pm_card_visa_chargeDeclined"


class Reverted(msgspec.Struct, frozen=True, kw_only=True):
    """What a fault did until both instances had gone back.

    `harmed` are the payments that clients saw declined, `counted` those that the guardrail has counted.
    """

    payments: int
    harmed: int
    counted: int
    seconds: float
    reason: str


def revert(machine: Machine) -> Reverted:
    """Split payments in half, decline every tenth of fastpay's, and wait until both instances go back."""
    with ExitStack() as stack:
        database = stack.enter_context(empty_database(machine, "bench_split", tenants=_TENANTS))
        port = stack.enter_context(older.serving())
        instances = [
            stack.enter_context(serve_in_front(machine, database.url, port, instance=number))
            for number in range(2)
        ]
        state = RouteState("split", 50)
        run_on(database.url, lambda one: set_route(one, _ROUTE, state, changed_by="benchmark"))
        client = _Client(instances, _key_at_fastpay(database, state))
        stack.callback(client.close)
        return client.harm(database.url)


class _Client:
    """Pays at one instance and the other, a customer of the older API and one who is new in turns."""

    def __init__(self, instances: list[Target], key: str) -> None:
        self._connections = [HTTPConnection("127.0.0.1", one.port, timeout=30) for one in instances]
        self._headers = {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/x-www-form-urlencoded",
        }

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()

    def harm(self, database_url: str) -> Reverted:
        """Pay until both instances have gone back."""
        for connection in self._connections:
            self._wait_split(connection)
        begun, payments, harmed = time.monotonic(), 0, 0
        left = list(self._connections)
        while left:
            if time.monotonic() - begun > _GIVE_UP_SECONDS:
                raise SystemExit(f"the route did not go back, though {harmed} of {payments} were declined")
            for connection in list(left):
                self._pay(connection, _GOOD + "&customer=cus_OldCustomer1")
                payments += 1
                side, status = self._pay(connection, _DECLINED if payments % 20 in _FAULTY else _GOOD)
                harmed += status != 200
                if side == LEGACY:
                    left.remove(connection)
        seconds = time.monotonic() - begun
        counted = "select fastpay_bad from rollout_guard where metric = 'declines'"
        while (known := fetch_value(database_url, counted)) != harmed:
            if time.monotonic() - begun > _GIVE_UP_SECONDS:
                break
            time.sleep(0.1)
        reason = fetch_value(database_url, "select reason from rollout_change where reason is not null")
        return Reverted(
            payments=payments, harmed=harmed, counted=known or 0, seconds=seconds, reason=str(reason)
        )

    def _wait_split(self, connection: HTTPConnection) -> None:
        end_s = time.monotonic() + _GIVE_UP_SECONDS
        while self._pay(connection, _GOOD)[0] != FASTPAY:
            if time.monotonic() > end_s:
                raise SystemExit("the route was not split")
            time.sleep(0.05)

    def _pay(self, connection: HTTPConnection, body: str) -> tuple[str | None, int]:
        """Return who has answered, and the status."""
        connection.request("POST", "/v1/payment_intents", body, self._headers)
        answer = connection.getresponse()
        answer.read()
        return answer.getheader("Fastpay-Served-By"), answer.status


def _key_at_fastpay(database: Database, state: RouteState) -> str:
    """Return the key of a tenant whose new payments are drawn for fastpay."""
    query = "select tenant_id from tenant order by length(name), name"
    tenants = run_on(database.url, lambda connection: connection.fetch(query))
    for row, key in zip(tenants, database.keys, strict=True):
        if choose(state, f"{row['tenant_id'].hex} False") == FASTPAY:
            return key
    raise SystemExit("no tenant was drawn for fastpay")


@click.command()
@click.option("--seconds", default=10.0, show_default=True, help="How long each way is loaded.")
@click.option("--rounds", default=3, show_default=True)
@click.option("--connections", default=16, show_default=True)
@click.option("--older", "names", multiple=True, type=click.Choice(_OLDER), default=_OLDER, show_default=True)
@click.option("--place", "where", type=click.Choice((SHARED, APART)), help="Only there, and no rollback.")
@click.option("--directory", default="/var/tmp", show_default=True)
def main(
    seconds: float, rounds: int, connections: int, names: tuple[str, ...], where: str | None, directory: str
) -> None:
    """Measure pass-through beside the older API itself, and a rollback."""
    console, found = Console(width=WIDTH), []

    def measure_all(place: Place) -> None:
        own = []
        for name in names:
            with both_ways(place, name) as ways:
                for kind in (READS, PAYMENTS):
                    one = measure(
                        ways, place, name, kind, rounds=rounds, connections=connections, seconds=seconds
                    )
                    own.append(one)
        show(console, place, own, connections=connections)
        found.extend(own)

    reverted: list[Reverted] = []
    if where != APART:
        with shared_place(directory) as place:
            measure_all(place)
            reverted += [revert(place.own) for _ in range(0 if where else rounds)]
    if where != SHARED:
        with place_apart(directory) as place:
            measure_all(place)
    for back in reverted:
        console.print(
            f"every tenth declined: back on both instances after {back.seconds:.1f} s and "
            f"{back.harmed} harmed payments, of {back.payments} ({back.reason})"
        )
    results = {
        "machine": machine_facts(),
        "overhead": [msgspec.to_builtins(one) for one in found],
        "reverted": [to_record(one) for one in reverted],
    }
    console.print(f"written to {write_results('rollout', results)}")


if __name__ == "__main__":
    main()
