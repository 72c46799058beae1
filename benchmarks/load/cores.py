"""Which cores processes run on, and how busy those were."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_STAT = Path("/proc/stat")
_TICKS = os.sysconf("SC_CLK_TCK")


def own_cores() -> tuple[int, ...]:
    """Return the cores that this process may run on."""
    return tuple(sorted(os.sched_getaffinity(0)))


def split_cores(cores: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return two halves of cores; of one core both have it."""
    half = max(1, len(cores) // 2)
    return tuple(cores[:half]), tuple(cores[half:] or cores)


@contextmanager
def running_on(cores: Sequence[int]) -> Iterator[None]:
    """Stay on these cores for the block, and whoever is started in it for good."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class BusyTime:
    """Counts how much cores work from now on, for whomever."""

    def __init__(self) -> None:
        self._begun_s = time.monotonic()
        self._before = busy_ticks(_STAT.read_text(encoding="utf-8"))

    def shares(self) -> dict[int, float]:
        """Return the part of the time so far in which each core worked."""
        ticks = _TICKS * (time.monotonic() - self._begun_s)
        now = busy_ticks(_STAT.read_text(encoding="utf-8"))
        return {core: (now[core] - before) / ticks for core, before in self._before.items()}


def busy_ticks(stat: str) -> dict[int, int]:
    """Return for how many ticks each core has worked. `stat` is the text of /proc/stat."""
    found = {}
    for line in stat.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu":
            # Source: proc(5). Between them are idle and iowait; of what follows, user has all but steal.
            user, nice, system, _, _, irq, softirq = (int(field) for field in fields[:7])
            found[int(name.removeprefix("cpu"))] = user + nice + system + irq + softirq
    return found
