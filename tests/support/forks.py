"""Processes of `fastpay serve` that are forks of one that has loaded the package already.

A server's start is mostly Python that loads modules: of 0.8 s of a processor 0.6. A whole run starts hundreds
of servers, so each worker of the tests starts two processes, `python -m tests.support.forks`, which load what
a server loads and do nothing else: they have no thread and no loop, and have opened nothing. Servers are
their children in turns, since Python orders sets by a seed that forks share: two instances that a test starts
one after the other differ in it, as programs do. Some of tests/operator/test_serve.py starts programs.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import itertools
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import argon2

from fastpay import __version__
from fastpay.engine.homes.codec import release_name
from fastpay.errors import ConfigurationError
from fastpay.operations.embedded.postgres import find_installation
from tests.support.forked import become

# Modules that a server imports, some of them later than at its start.
_MODULES = (
    "uvloop",
    "redis.asyncio.connection",
    "fastpay.operations.process",
    "fastpay.operations.application",
    "fastpay.operations.admin",
    "fastpay.operations.console.assembly",
    "fastpay.operations.sealing_keys",
    "fastpay.outbound.connector",
    "fastpay.outbound.exchange",
    "fastpay.store.health",
    "fastpay.store.migrate",
    "cryptography.hazmat.primitives.ciphers.aead",
)
_MESSAGE_BYTES_MAX = 1 << 16
_DESCRIPTORS_MAX = 1 << 12
# What it is started with, and the variables that do not matter before a server reads its settings.
_ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
_LATE = ("FASTPAY_", "PYTEST_")
_asking = threading.Lock()
_turns = itertools.cycle(range(2))


class ForkedProcess:
    """A process that may be waited for and sent signals to like a `subprocess.Popen`.

    The kernel says when it ends. Its status comes through a pipe, from its parent, which is not this process.
    """

    def __init__(self, pid: int, *, descriptor: int, status: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._descriptor = descriptor
        self._status = status
        self._hearing = threading.Lock()

    def __del__(self) -> None:
        for descriptor in (self._descriptor, self._status):
            os.close(descriptor)

    def poll(self) -> int | None:
        """Return the exit status, negative after a signal, or None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit status once the process has ended. Raises: subprocess.TimeoutExpired."""
        if self.returncode is None:
            # Not `select`, which takes no descriptor above 1023.
            waiting = select.poll()
            waiting.register(self._status, select.POLLIN)
            if not waiting.poll(None if timeout is None else timeout * 1000):
                raise subprocess.TimeoutExpired(f"fork {self.pid}", timeout or 0)
            with self._hearing:
                # Another thread may have waited as well.
                if self.returncode is None:
                    self.returncode = self._read_status()
        return self.returncode

    def _read_status(self) -> int:
        said = os.read(self._status, 16)
        if said:
            return int(said)
        # Its parent has ended, and nobody else would end it.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)
        return -signal.SIGKILL

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            # It may have ended since. No other process is reached, whatever number it has.
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask the process to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process."""
        self.send_signal(signal.SIGKILL)


def start_fork(arguments: list[str], environment: dict[str, str], output: Path) -> ForkedProcess:
    """Run `fastpay` with these arguments; return at once. `output` gets all that it prints."""
    request = {
        "arguments": arguments,
        "environment": environment,
        "output": str(output),
        "folder": os.getcwd(),
        "cores": [*os.sched_getaffinity(0)],
    }
    # Threads of a test start servers, too.
    with _asking:
        link = _parent(next(_turns))
        link.sendall(json.dumps(request).encode())
        said, descriptors, _, _ = socket.recv_fds(link, _MESSAGE_BYTES_MAX, 2)
    assert said, "the process whose forks are servers has ended"
    descriptor, status = descriptors
    return ForkedProcess(int(said), descriptor=descriptor, status=status)


def can_fork(environment: dict[str, str]) -> bool:
    """Tell whether a fork serves as well: variables that may change how Python starts are not for it."""
    names = environment.keys() | _ENVIRONMENT.keys()
    changed = [name for name in names if environment.get(name) != _ENVIRONMENT.get(name)]
    return all(name.startswith(_LATE) for name in changed)


@functools.cache
def _parent(_number: int) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.forks", str(theirs.fileno())],
            env=_ENVIRONMENT,
            # Wherever the test that starts the first server happens to be.
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    # It ends when nobody can ask it any more.
    atexit.register(process.wait)
    atexit.register(ours.close)
    return ours


def _serve(link: socket.socket) -> None:
    """Fork for each request, and tell of each fork that has ended."""
    # An interrupt at the terminal is for the tests.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    wake, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    requests = link.fileno()
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(woken)
    statuses: dict[int, int] = {}
    while True:
        ready, _, _ = select.select([requests, wake], [], [])
        if wake in ready:
            os.read(wake, 1 << 10)
            _tell(statuses)
        if requests in ready:
            message = link.recv(_MESSAGE_BYTES_MAX)
            if not message:
                # The tests have ended, perhaps without ending their servers.
                for pid in statuses:
                    os.kill(pid, signal.SIGTERM)
                return
            pid = os.fork()
            if pid == 0:
                _become(json.loads(message))
            hear, statuses[pid] = os.pipe2(os.O_CLOEXEC)
            descriptor = os.pidfd_open(pid)
            socket.send_fds(link, [str(pid).encode()], [descriptor, hear])
            os.close(descriptor)
            os.close(hear)


def _tell(statuses: dict[int, int]) -> None:
    while statuses:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with contextlib.suppress(BrokenPipeError):
            os.write(statuses[pid], str(os.waitstatus_to_exitcode(status)).encode())
        os.close(statuses.pop(pid))


def _become(request: dict[str, object]) -> None:
    """Run the command that was asked for, in the child, with the descriptors of a program only."""
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(str(request["folder"]))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(str(request["output"]), os.O_WRONLY | os.O_APPEND), 1)
    os.closerange(3, _DESCRIPTORS_MAX)
    arguments, environment, cores = request["arguments"], request["environment"], request["cores"]
    assert isinstance(arguments, list)
    assert isinstance(environment, dict)
    assert isinstance(cores, list)
    os.sched_setaffinity(0, cores)
    become(tuple(arguments), environment, 0, 1, 1)


def main() -> None:
    """Load what a server loads, and fork."""
    for name in _MODULES:
        importlib.import_module(name)
    # A hash of a password is costly on purpose; tests/unit/admin/test_passwords.py holds that.
    vars(argon2)["PasswordHasher"] = functools.partial(
        argon2.PasswordHasher, time_cost=1, memory_cost=8, parallelism=1
    )
    # Both are the same in each server, and remembered: a digest of all structs, and a program asked for its
    # version.
    release_name(__version__)
    with contextlib.suppress(ConfigurationError):
        find_installation(Path(os.devnull))
    # What is not looked at by a fork's collector is not copied for it either.
    gc.collect()
    gc.freeze()
    _serve(socket.socket(fileno=int(sys.argv[1])))


if __name__ == "__main__":
    main()
