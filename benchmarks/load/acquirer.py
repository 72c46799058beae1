"""A processor of the kind http as a process of its own: it approves orders after a while, or never answers.

`python -m benchmarks.load.acquirer PORT DELAY_MS`; with a negative delay orders are never answered.
"""

import asyncio
import itertools
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar

from benchmarks.load import tiny_server


@contextmanager
def acquiring(delay_ms: int) -> Iterator[int]:
    """Run one for the block, and return its port."""
    with tiny_server.running(__name__, str(delay_ms)) as port:
        yield port


class _Acquirer(tiny_server.Requests):
    delay_s: ClassVar[float] = 0
    numbers: ClassVar[Iterator[int]] = itertools.count(1)

    def answer(self, head: bytes, body: bytes) -> None:
        """Approve an order as it is ordered."""
        if self.delay_s < 0:
            return
        order = json.loads(body)
        outcome = {"status": "approved", "id": f"pay_{next(self.numbers)}", "captured": order["captures"]}
        outcome |= {name: order[name] for name in ("reference", "amount", "currency")}
        said = json.dumps(outcome).encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said
        asyncio.get_running_loop().call_later(self.delay_s, self.transport.write, answer)


if __name__ == "__main__":
    _Acquirer.delay_s = int(sys.argv[2]) / 1000
    tiny_server.serve(_Acquirer, int(sys.argv[1]))
