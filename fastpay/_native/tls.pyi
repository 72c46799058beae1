"""TLS between a stream and the protocol of a connection: records in memory, sockets as for plain bytes."""

import ssl

from fastpay._native.poller import Endpoint
from fastpay._native.service import Service

class Tls(Endpoint):
    """The protocol of a stream, and the transport of the protocol behind it."""

    def __init__(self, service: Service, context: ssl.SSLContext) -> None: ...
    def abort(self) -> None:
        """End the connection now."""

    def retire(self) -> None:
        """End a handshake: a stopping server does not need the connection."""
