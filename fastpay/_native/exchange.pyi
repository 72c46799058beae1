"""One request and its response as the ASGI application sees them: `receive` and `send`."""

class ClientDisconnected(OSError):
    """The client disconnected before the response was complete."""
