"""An older API that costs next to nothing: one answer of a kilobyte to everything.

`python -m benchmarks.load.older PORT`
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.load import tiny_server

_BODY = b'{"id":"pi_OldPayment1","object":"payment_intent","description":"' + b"x" * 950 + b'"}'
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(_BODY) + _BODY
)


@contextmanager
def serving() -> Iterator[int]:
    """Run one for the block, and return its port."""
    with tiny_server.running(__name__) as port:
        yield port


class _Older(tiny_server.Requests):
    def answer(self, head: bytes, body: bytes) -> None:
        """Answer at once."""
        self.transport.write(_ANSWER)


if __name__ == "__main__":
    tiny_server.serve(_Older, int(sys.argv[1]))
