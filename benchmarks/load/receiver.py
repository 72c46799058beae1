"""A receiver of webhooks as a process of its own: it acknowledges deliveries, and notes when they came.

At /some it refuses the first attempt of one event in ten.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from benchmarks.load import tiny_server

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_REFUSAL = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def receiving() -> Iterator[int]:
    """Run a receiver for the block, and return its port."""
    with tiny_server.running(__name__) as port:
        yield port


def arrivals(port: int, after: int = 0) -> dict[int, float]:
    """Return when each event above a number came first, in seconds since 1970."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/report/{after}", timeout=60) as response:
        return {int(number): at_s for number, at_s in json.loads(response.read()).items()}


def count(port: int) -> int:
    """Return how many deliveries have come."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/count", timeout=60) as response:
        return int(response.read())


class _Receiver(tiny_server.Requests):
    """One connection."""

    arrived: ClassVar[dict[int, float]] = {}
    deliveries: ClassVar[int] = 0

    def answer(self, head: bytes, body: bytes) -> None:
        """Acknowledge a delivery, or report."""
        if head.startswith(b"get /"):
            self._report(head.split(b" ")[1].decode())
            return
        _Receiver.deliveries += 1
        number = int(tiny_server.field(head, b"fastpay-sequence") or 0)
        self.arrived.setdefault(number, time.time())
        fails = head.startswith(b"post /some ") and number % 10 == 0
        is_refused = fails and tiny_server.field(head, b"fastpay-attempt") == b"1"
        self.transport.write(_REFUSAL if is_refused else _ANSWER)

    def _report(self, path: str) -> None:
        after = path.removeprefix("/report/")
        found: Any = self.deliveries
        if after != path:
            found = {number: at_s for number, at_s in self.arrived.items() if number > int(after)}
        body = json.dumps(found).encode()
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


if __name__ == "__main__":
    tiny_server.serve(_Receiver, int(sys.argv[1]))
