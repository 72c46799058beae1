"""Replaces the running program by the next one without closing the port.

On SIGUSR2 the process starts its own command line again, and gives it the listening sockets. The newcomer
checks the machine and the database, migrates, connects, and then says on a pipe that it serves. Only then
this process stops accepting connections, and serves those that it has until they end. A newcomer that ends or
takes too long changes nothing: this process goes on.

    running -> starting    SIGUSR2
    starting -> running    the newcomer has ended, or did not serve in time and was ended
    starting -> replaced   the newcomer serves
"""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

from fastpay import limits
from fastpay.config import PREDECESSOR_VARIABLE, Settings
from fastpay.observability import telemetry
from fastpay.operations.predecessor import READY, describe

# The manager's variables that are for one process only.
_FOR_ONE_PROCESS = ("WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


class Upgrade:
    """Starts the next program once for each signal, and tells when it has taken over."""

    def __init__(
        self,
        settings: Settings,
        sockets: Mapping[str, socket.socket],
        *,
        replaced: Callable[[int], None],
        failed: Callable[[str], None],
    ) -> None:
        """`replaced` gets the pid of the process that serves now; `failed` the reason why none does."""
        self._settings = settings
        self._sockets = sockets
        self._replaced = replaced
        self._failed = failed
        self._task: asyncio.Task[None] | None = None
        self._is_done = False

    @property
    def is_done(self) -> bool:
        """Whether another process serves in the place of this one."""
        return self._is_done

    def begin(self) -> None:
        """Start the next program, unless one is being started."""
        if self._is_done or (self._task is not None and not self._task.done()):
            telemetry.log.warning("upgrade_ignored", advice="wait for its end, then send SIGUSR2 again")
            return
        self._task = asyncio.create_task(self._run(), name="upgrade")

    async def close(self) -> None:
        """End a newcomer that does not serve yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        reason = why_impossible(self._settings)
        pid = 0
        if reason is None:
            try:
                pid = await self._start()
            except (OSError, _NewcomerFailed) as error:
                reason = str(error)
        if reason is not None:
            telemetry.log.error("upgrade_failed", reason=reason, advice="this process goes on serving")
            self._failed(reason)
            return
        telemetry.log.info("upgrade_finished", pid=pid)
        self._is_done = True
        self._replaced(pid)

    async def _start(self) -> int:
        """Start the newcomer and return its pid once it serves. Raises: _NewcomerFailed."""
        reading, writing = os.pipe()
        descriptors = {name: one.fileno() for name, one in self._sockets.items()} | {READY: writing}
        kept = {name: value for name, value in os.environ.items() if name not in _FOR_ONE_PROCESS}
        command = next_command()
        telemetry.log.info("upgrade_started", program=command[0])
        try:
            # Not one of the loop's, which would be killed when the loop is closed.
            newcomer = subprocess.Popen(  # noqa: ASYNC220, S603 - it takes a fork, of our own command line
                command,
                env=kept | {PREDECESSOR_VARIABLE: describe(descriptors)},
                pass_fds=tuple(descriptors.values()),
                stdin=subprocess.DEVNULL,
            )
        except BaseException:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        try:
            async with asyncio.timeout(self._settings.upgrade_timeout_ms / 1000):
                return await _read_pid(reading, newcomer)
        except TimeoutError:
            await _end(newcomer)
            raise _NewcomerFailed(
                f"the new process did not serve within {self._settings.upgrade_timeout_ms} ms and was ended; "
                "its log says what it waited for (upgrade_timeout_ms)"
            ) from None
        except asyncio.CancelledError:
            await _end(newcomer)
            raise


class _NewcomerFailed(Exception):
    pass


def why_impossible(settings: Settings) -> str | None:
    """Return the reason why this process cannot be replaced while it runs, None if it can."""
    if settings.database_url is None or settings.redis_url is None:
        return (
            "the embedded PostgreSQL and Redis end with this process; "
            "use servers of their own (database_url, redis_url), or stop and start"
        )
    if os.getpid() == 1:
        return (
            "it is the first process of its container, which ends with it; start the next container beside it"
        )
    return None


def next_command() -> list[str]:
    """Return the command line of this process, by the path it was started with.

    If the path is a link, the next program is what it points to now.
    """
    program = sys.argv[0]
    if os.path.basename(program) != "__main__.py" and os.access(program, os.X_OK):
        return [program, *sys.argv[1:]]
    return list(sys.orig_argv)


async def _read_pid(descriptor: int, newcomer: "subprocess.Popen[bytes]") -> int:
    """Return what the newcomer writes when it serves. Raises: _NewcomerFailed if it ends before."""
    reader = asyncio.StreamReader()
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    try:
        line = await reader.readline()
    finally:
        transport.close()
    if line.strip().isdigit():
        return int(line)
    await _end(newcomer)
    raise _NewcomerFailed(
        f"the new process ended with status {newcomer.returncode} before it served; its log says why"
    )


async def _end(newcomer: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        if newcomer.poll() is None:
            newcomer.send_signal(number)
            with suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(newcomer.wait, limits.stop_timeout_ms / 1000)
