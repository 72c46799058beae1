"""What does each of several instances do for a payment? Whole processes, counted by callgrind.

Run: python -m benchmarks.processes [--tenants 1 --connections 64 --seconds 15 --profile 20]
     python -m benchmarks.processes --together 4 [--tenants 100]

Three instances on one database: one that is the home, one that gets all requests, and one that gets none. Or
one by itself (--alone). They are loaded once for each process (wrk, a closed loop), and only that process is
counted: then without any load, for what it does each second anyway. With --together so many instances share a
port, and what all of them do for a payment is counted at once, so that nothing of homes is left out.

The kernel, PostgreSQL and Redis are not in it. Processes under callgrind are 50 times slower, so their bounds
of time are longer here. How many payments a batch had is counted as well, since they share its costs.

--profile shows the functions that took most, of all processes.
"""

import runpy
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
import msgspec
from rich.console import Console

from benchmarks.load.machine import Database, Machine, empty_database, fetch_value, run_machine
from benchmarks.load.report import WIDTH, Table, to_record
from benchmarks.load.serving import Target, free_port, machine_facts, serve, write_results
from benchmarks.load.wrk import run_wrk
from fastpay import limits

HOME, ASKED, IDLE, ALONE = "home", "asked", "idle", "alone"
_ROLES = (HOME, ASKED, IDLE)
_WARM_UP_SECONDS = 12.0
# Longer than a batch takes under callgrind.
_SETTLED_SECONDS = 2.0
# Bounds of time that a process under callgrind would not keep.
_BOUNDS = (
    *("home_late_ms", "home_answer_ms", "home_late_answer_ms", "home_silence_ms", "member_alive_ms"),
    "home_find_ms",
)
# How much slower it is, so that what is told together is as much as without callgrind.
_PACES = ("home_notice_ms", "home_notice_of_new_ms", "home_interest_ms")
_SLOWER, _PACE, _PATIENCE = 100, 40, 10
_PROGRAM = ("-m", "benchmarks.processes", "serve")


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a process did, or all. `instructions` are for a payment, or a second without a load."""

    role: str
    instructions: int
    payments: int
    a_second: int
    commands_a_batch: float


@click.command()
@click.option("--alone", is_flag=True, help="One instance.")
@click.option("--together", default=0, help="So many instances, counted at once.")
@click.option("--tenants", default=1, show_default=True)
@click.option("--connections", default=64, show_default=True)
@click.option("--seconds", default=15.0, show_default=True)
@click.option("--profile", default=0, show_default=True, help="How many functions to show of each process.")
@click.option("--directory", default="/var/tmp", show_default=True, help="Where the database is put.")
def main(
    alone: bool,
    together: int,
    tenants: int,
    connections: int,
    seconds: float,
    profile: int,
    directory: str,
) -> None:
    """Count what the processes do."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise SystemExit("valgrind is not installed (Debian package valgrind)")
    console = Console(width=WIDTH)
    table = Table(title="instructions")
    for column in ("process", "a payment", "payments", "commands a batch", "a second without load"):
        table.add_column(column, justify="left" if column == "process" else "right")
    found = []
    roles = (ALONE,) if alone else tuple(map(str, range(together))) or _ROLES
    with (
        run_machine(directory, database_url=None, redis_url=None) as machine,
        empty_database(machine, "bench_processes", tenants=tenants) as database,
        instances(machine, database, valgrind, roles, port=free_port() if together else 0) as targets,
    ):
        asked = targets.get(ASKED) or targets[roles[0]]
        _load(asked, database, connections, _WARM_UP_SECONDS)
        for counted in [targets] if together else [{role: target} for role, target in targets.items()]:
            one = _count(machine, counted, asked, database, connections, seconds)
            found.append(one)
            table.add_row(
                one.role,
                f"{one.instructions:,}",
                f"{one.payments:,}",
                f"{one.commands_a_batch:.1f}",
                f"{one.a_second:,}",
            )
            for role in counted if profile else ():
                _show_profile(console, machine, role, profile)
    console.print(table)
    record = {
        "machine": machine_facts(),
        "tenants": tenants,
        "connections": connections,
        "found": list(map(to_record, found)),
    }
    console.print(f"written to {write_results('processes', record)}")


@contextmanager
def instances(
    machine: Machine,
    database: Database,
    valgrind: str,
    roles: Sequence[str],
    *,
    port: int = 0,
    more: Mapping[str, str] | None = None,
) -> Iterator[dict[str, Target]]:
    """Start instances under callgrind, the home first: the oldest one is."""
    with ExitStack() as stack:
        targets = {}
        for number, role in enumerate(roles):
            command = [valgrind, "--tool=callgrind", f"--callgrind-out-file={machine.directory}/{role}.out"]
            serving = serve(
                "fastpay",
                database_url=database.url,
                redis_url=machine.redis_url,
                directory=machine.directory,
                instance=number,
                port=port,
                # What is confirmed in the background is so as often for a payment as without callgrind.
                more={"FASTPAY_READ_STALENESS_MS": str(_PACE * limits.read_staleness_ms), **(more or {})},
                program=[*command, "--instr-atstart=no", sys.executable, *_PROGRAM],
            )
            targets[role] = stack.enter_context(serving)
        yield targets


def _count(
    machine: Machine,
    counted: Mapping[str, Target],
    asked: Target,
    database: Database,
    connections: int,
    seconds: float,
) -> Found:
    """Return what these processes do together."""

    def tell(option: str, value: str = "") -> None:
        for target in counted.values():
            control(option, value, target)

    tell("-i", "on")
    # What was translated for callgrind is not counted, and caches of the interpreter are warm.
    _load(asked, database, connections, 2.0)
    made, batches = _settle(database)
    tell("-z")
    _load(asked, database, connections, seconds)
    tell("-d", "load")
    made, batches = (now - before for now, before in zip(_settle(database), (made, batches), strict=True))
    tell("-z")
    time.sleep(seconds)
    tell("-d", "idle")
    tell("-i", "off")
    pairs = [[total(path) for path in dumps(machine, role)[-2:]] for role in counted]
    loaded, unloaded = map(sum, zip(*pairs, strict=True))
    return Found(
        role="all" if len(counted) > 1 else next(iter(counted)),
        instructions=(loaded - unloaded) // made,
        payments=made,
        a_second=int(unloaded / seconds),
        commands_a_batch=made / max(1, batches),
    )


def _load(asked: Target, database: Database, connections: int, seconds: float) -> None:
    """Load an instance with payments."""
    arguments = [secrets.token_hex(6), *database.keys]
    run_wrk(asked, "payments.lua", arguments, connections=connections, seconds=seconds)


def _settle(database: Database) -> tuple[int, int]:
    """Return how many payments there are, and in how many batches they came, once all are written."""
    before = None
    while (made := _made(database)) != before:
        before = made
        time.sleep(_SETTLED_SECONDS)
    return made


def _made(database: Database) -> tuple[int, int]:
    """Return how many payments there are, and in how many batches they came."""
    count = fetch_value(database.url, "select count(*) from payment_intent")
    batches = fetch_value(database.url, "select count(distinct xmin::text) from payment_intent")
    return int(count), int(batches)


def control(option: str, value: str, target: Target) -> None:
    """Tell callgrind what to do in a process. Raises: SystemExit."""
    command = ["callgrind_control", option, *([value] if value else []), str(target.pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or "Error" in done.stdout:
        raise SystemExit(f"callgrind_control failed: {done.stdout}{done.stderr}")


def dumps(machine: Machine, role: str) -> list[Path]:
    """Return what callgrind has written of a process, the oldest first."""
    return sorted(machine.directory.glob(f"{role}.out.*"), key=lambda path: int(path.suffix[1:]))


def total(path: Path) -> int:
    """Return the instructions of a dump. Raises: SystemExit."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(("summary:", "totals:")):
            return int(line.split()[1])
    raise SystemExit(f"callgrind wrote no total into {path.name}")


def _show_profile(console: Console, machine: Machine, role: str, lines: int) -> None:
    for path in dumps(machine, role)[-2:]:
        done = subprocess.run(
            ["callgrind_annotate", "--threshold=100", str(path)], capture_output=True, text=True, check=True
        )
        body = done.stdout.partition("file:function")[2].splitlines()[2 : 2 + lines]
        console.print(f"{path.name}:", *body, sep="\n", markup=False)


def _serve() -> None:
    """Be fastpay, with bounds of time that callgrind's slowness keeps."""
    for name in _BOUNDS:
        setattr(limits, name, getattr(limits, name) * _SLOWER)
    for name in _PACES:
        setattr(limits, name, getattr(limits, name) * _PACE)
    for name in list(vars(limits)):
        if name.endswith("_timeout_ms") or name == "queue_wait_ms_max":
            setattr(limits, name, getattr(limits, name) * _PATIENCE)
    # The oldest stays the only home: under callgrind it is busy whatever it does.
    limits.home_busy_percent = 101
    # The index of searches follows when there is time: under callgrind it is late by an unknown part.
    limits.search_interval_ms = 3_600_000
    sys.argv = ["fastpay", *sys.argv[2:]]
    runpy.run_module("fastpay", run_name="__main__")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        _serve()
    else:
        main()
