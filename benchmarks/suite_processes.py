"""What a server and the PostgreSQL beside it used of the processor."""

from benchmarks.load.machine import Machine
from benchmarks.load.serving import Target
from benchmarks.transport_load import cpu_seconds


def cpu_of(target: Target, machine: Machine) -> tuple[float, float]:
    """Return the processor time of the server and of the embedded PostgreSQL, 0 where one was named."""
    postmaster = _postmaster_of(machine)
    return cpu_seconds(target.pid), cpu_seconds(postmaster) if postmaster else 0.0


def _postmaster_of(machine: Machine) -> int | None:
    for path in machine.directory.glob("data/**/postmaster.pid"):
        return int(path.read_text(encoding="ascii").splitlines()[0])
    return None
