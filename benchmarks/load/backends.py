"""Processor time of processes of this machine, such as PostgreSQL's backends."""

import contextlib
import os
from pathlib import Path

from benchmarks.load.machine import run_on

_TICKS = os.sysconf("SC_CLK_TCK")


class BackendTime:
    """Counts the processor time that the backends of one database take from now on.

    Those that end meanwhile take theirs with them: who counts keeps his connections.
    """

    def __init__(self, administration_url: str, database: str) -> None:
        self._url = administration_url
        self._database = database
        self._before = self._ticks()

    def seconds(self) -> float:
        """Return how much it was so far."""
        now = self._ticks()
        return sum(ticks - self._before.get(pid, 0) for pid, ticks in now.items()) / _TICKS

    def _ticks(self) -> dict[int, int]:
        # The driver's connection has no types.
        pids = run_on(self._url, lambda connection: connection.fetch(_BACKENDS, self._database))
        found = {}
        for (pid,) in pids:
            # It may have ended since.
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found[pid] = _ticks_of(pid)
        return found


def process_seconds(pid: int) -> float:
    """Return the processor time that a process has taken so far."""
    return _ticks_of(pid) / _TICKS


def _ticks_of(pid: int) -> int:
    # Source: proc(5): utime and stime are the 14th and 15th fields, the 2nd may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


_BACKENDS = "select pid from pg_stat_activity where datname = $1 and backend_type = 'client backend'"
