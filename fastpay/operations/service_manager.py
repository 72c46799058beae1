"""What the process tells systemd, and any manager that follows sd_notify(3)."""

import asyncio
import os
import socket

from fastpay.observability import telemetry


def notify(*lines: str) -> None:
    """Send lines like `READY=1` to the manager that has started this process, if it listens for them."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    # A name that begins with @ is in the abstract namespace.
    name = "\0" + address[1:] if address.startswith("@") else address
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
            sender.sendto("\n".join(lines).encode(), name)
    except OSError as error:
        telemetry.log.warning("manager_missed", socket=address, reason=error.strerror or str(error))


class Watchdog:
    """Tells the manager twice in each interval of its watchdog that the event loop turns."""

    def __init__(self) -> None:
        given = os.environ.get("WATCHDOG_USEC", "")
        self._interval_s = int(given) / 2_000_000 if given.isdecimal() else 0.0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, if the manager has a watchdog."""
        if self._interval_s > 0:
            notify("WATCHDOG=1")
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self.start)

    def stop(self) -> None:
        """End it."""
        if self._timer is not None:
            self._timer.cancel()
