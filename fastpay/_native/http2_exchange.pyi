"""What the short way and the runner need of a request over HTTP/2; `server/http2_stream.py` is the rest."""

from typing import Any

from fastpay._native.runner import Runner

class Http2Exchange:
    """A request whose handler may be a coroutine, or one that answers at once or later without one."""

    lost: bool
    """The client is gone."""
    started: bool
    is_head: bool
    status: int
    route: int
    """The number of the route for the metrics, if the short way has found it."""
    is_plain: bool
    """Whether the request is complete and has no body, so that the short way may answer it."""

    def run(self, runner: Runner, coroutine: Any) -> None:
        """Run what the application returned; `handler_ended` is called at its end."""

    def answer_at_once(self, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a complete response. An empty date stands for the present one."""

    def handler_ended(self, error: BaseException | None) -> None:
        """Called when the handler has ended."""
