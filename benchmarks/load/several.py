"""The open loop in several processes, each with its part of the rate, and what they found together."""

import gc
import multiprocessing
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor

import msgspec

from benchmarks.holding import raise_open_files
from benchmarks.load.mix import Mix, Shares
from benchmarks.load.open_loop import Phase, Record, Records, run_phases


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the server on a port, in one phase after another."""

    port: int
    phases: tuple[Phase, ...]
    shares: Shares
    # Identifiers of payments that exist, by API key; the first merchant is the most popular one.
    payments: Mapping[str, Sequence[str]]
    # Signing secrets, by API key.
    signing: Mapping[str, str] = {}
    connections: int = 64
    # What is not a good answer is counted, and ends nothing.
    tolerant: bool = False
    # The cores that the processes may use; all where none is named.
    cores: tuple[int, ...] = ()


def run_several(load: Load, processes: int) -> Records:
    """Run the load in so many processes. Raises: SystemExit on what a single one raises it for."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        parts = list(pool.map(_run, [load] * processes, [processes] * processes, range(processes)))
    found: Records = {}
    for part in parts:
        for kind, record in part.items():
            found.setdefault(kind, Record()).add(record)
    return found


def _run(load: Load, processes: int, number: int) -> Records:
    if load.cores:
        os.sched_setaffinity(0, load.cores)
    raise_open_files()
    # What is recorded is never garbage, and looking through it would be taken for the server's delay.
    gc.disable()
    phases = [Phase(phase.rate / processes, phase.seconds) for phase in load.phases]
    requests = iter(Mix(load.payments, load.shares, seed=number, signing=load.signing))
    connections = max(1, load.connections // processes)
    return run_phases(load.port, requests, phases, connections=connections, tolerant=load.tolerant)
