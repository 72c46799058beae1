"""What does a first read of a payment take at an instance that did not make it? Counted by callgrind.

Run: python -m benchmarks.first_reads [--payments 200] [--without-homes]

Three instances on one database, as in `benchmarks.processes`: the home of the tenant, one that is asked for
payments, and one that is asked for each of them once, one after another over one connection. Counted are the
home and the last one, less what they do without requests. Without homes the last one reads from the database.
"""

import shutil
import time
from http.client import HTTPConnection

import click
from rich.console import Console

from benchmarks.load.machine import empty_database, run_machine
from benchmarks.load.report import WIDTH, Table
from benchmarks.load.serving import Target
from benchmarks.payments import make_payment
from benchmarks.processes import ASKED, HOME, IDLE, control, dumps, instances, total

_WARM_UP = 40
# As long as it takes under callgrind until PostgreSQL has confirmed what the home has.
_CONFIRMED_SECONDS = 30


@click.command()
@click.option("--payments", default=200, show_default=True)
@click.option("--without-homes", is_flag=True, help="Every instance reads from the database.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(payments: int, without_homes: bool, directory: str) -> None:
    """Count what both instances do for a read."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise SystemExit("valgrind is not installed (Debian package valgrind)")
    table = Table(title="instructions for a first read")
    for column in ("process", "a read", "a read of what is cached"):
        table.add_column(column, justify="left" if column == "process" else "right")
    more = {"FASTPAY_HOMES": str(not without_homes).lower()}
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_first_reads", tenants=1) as database,
        instances(machine, database, valgrind, (HOME, ASKED, IDLE), more=more) as targets,
    ):
        (key,) = database.keys
        counted = {role: targets[role] for role in (HOME, IDLE)}
        made = [str(make_payment(targets[ASKED].port, key)["id"]) for _ in range(payments + _WARM_UP)]

        def count(option: str, value: str = "") -> None:
            for target in counted.values():
                control(option, value, target)

        count("-i", "on")
        for number in range(0, _WARM_UP, _WARM_UP // 2):
            _read(targets[IDLE], key, made[number : number + _WARM_UP // 2])
            time.sleep(_CONFIRMED_SECONDS)
        rounds: list[float] = []
        for identifiers in (made[_WARM_UP:], made[_WARM_UP:], []):
            count("-z")
            begun = time.monotonic()
            _read(targets[IDLE], key, identifiers)
            # The last round is as long as the first one, with nothing to do.
            time.sleep(0.0 if identifiers else rounds[0])
            rounds.append(time.monotonic() - begun)
            count("-d", "round")
        count("-i", "off")
        for role in counted:
            first, again, nothing = (total(path) for path in dumps(machine, role)[-3:])
            cached = again - nothing * rounds[1] / rounds[0]
            table.add_row(role, f"{(first - nothing) / payments:,.0f}", f"{cached / payments:,.0f}")
    Console(width=WIDTH).print(table)


def _read(target: Target, key: str, identifiers: list[str]) -> None:
    """Read payments one after another. Raises: SystemExit where one is not answered."""
    connection = HTTPConnection("127.0.0.1", target.port, timeout=60)
    for identifier in identifiers:
        connection.request(
            "GET", f"/v1/payment_intents/{identifier}", headers={"Authorization": f"Bearer {key}"}
        )
        response = connection.getresponse()
        said = response.read()
        if response.status != 200:
            raise SystemExit(f"{identifier} was refused: {response.status} {said!r}")
    connection.close()


if __name__ == "__main__":
    main()
