"""A proxy before an upstream that holds requests or answers for as long as a test likes."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Literal, Self
from urllib.parse import urlsplit

from tests.support.servers import PATIENCE_SECONDS

Held = Literal["nothing", "requests", "answers"]


class HeldProxy:
    """Passes bytes to `upstream` and back. `held` says what is kept here meanwhile.

    `reached` is set once something is kept. `drop` loses what is kept, with the connections. Until the
    block begins, connections are refused.
    """

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self._upstream = (parts.hostname or "", parts.port or 0)
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.held: Held = "nothing"
        self.reached = threading.Event()
        self._released = threading.Event()
        self._open: list[socket.socket] = []
        # How many connections have sent something.
        self.requests = 0

    def __enter__(self) -> Self:
        """Begin."""
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End, with all connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def hold(self, held: Held) -> None:
        """Keep requests or answers from now on, or nothing; what is kept goes on its way first."""
        self.release()
        self.reached.clear()
        self._released = threading.Event()
        self.held = held

    def release(self) -> None:
        """Let what is kept go on."""
        self.held = "nothing"
        self._released.set()

    def drop(self) -> None:
        """Lose what is kept and end all connections."""
        self.held = "nothing"
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self._released.set()

    def wait_reached(self) -> None:
        """Return once something is kept."""
        assert self.reached.wait(PATIENCE_SECONDS)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._upstream)
            except OSError:
                return
            self._open += [client, server]
            for source, target, what in ((client, server, "requests"), (server, client, "answers")):
                threading.Thread(target=self._pass, args=(source, target, what), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, what: str) -> None:
        with contextlib.suppress(OSError):
            while received := source.recv(65_536):
                if what == "requests":
                    self.requests += 1
                if self.held == what:
                    released = self._released
                    self.reached.set()
                    released.wait()
                target.sendall(received)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)
