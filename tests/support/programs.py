"""Programs of others that listen on a port."""

import contextlib
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from fastpay.operations.embedded import children
from tests.support.servers import PATIENCE_SECONDS


@contextlib.contextmanager
def listening(command: Callable[[int], list[str]], **options: Any) -> Iterator[str]:
    """Run the command that is made for a free port, and yield the URL once it listens.

    `options` are those of `Popen`.
    """
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = subprocess.Popen(command(port), **options)
    try:
        assert children.wait_until(lambda: _answers(port), timeout_ms=PATIENCE_SECONDS * 1000)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait(PATIENCE_SECONDS)


def _answers(port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex(("127.0.0.1", port)) == 0
