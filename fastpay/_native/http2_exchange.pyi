"""One request over HTTP/2 as the ASGI application sees it: `receive` and `send`."""

class Http2Exchange:
    """One request while the application handles it."""

    @property
    def body_complete(self) -> bool:
        """Whether the whole body has arrived and is valid."""

    @property
    def input_ended(self) -> bool:
        """Whether the client sends no more."""
