"""HTTP/2: `create_factory` is the whole interface to it.

`_native/http2_connection.pyx` is one connection, `_native/http2_guard.pyx` what its client asks for and
`_native/http2_sending.pyx` what it gets. They serve on either codec (`http2_engine.py`).
"""

from collections.abc import Callable
from typing import Any

from fastpay._native.http2_connection import Http2Connection
from fastpay._native.http2_request import RequestPolicy
from fastpay._native.service import Service
from fastpay.server.http2_events import Headers, Http2Codec
from fastpay.server.http2_linger import LingeringStreams
from fastpay.server.refusal import REFUSALS, list_headers, render_body


def create_factory(
    settings: Any, create_codec: Callable[[], Http2Codec], request_id: Callable[[], str]
) -> Callable[[Service], Http2Connection]:
    """Return a factory of protocols for connections that are known to speak HTTP/2.

    `request_id` makes identifiers for responses that the application does not see.
    """
    policy = RequestPolicy(settings)

    def refuse(reason: int) -> tuple[int, Headers, bytes]:
        status, message = REFUSALS[reason]
        body = render_body(status, message)
        fields = [(b":status", b"%d" % status), *list_headers(status, body, request_id())]
        return status, fields, body

    return lambda service: Http2Connection(
        service,
        settings,
        policy=policy,
        codec=create_codec(),
        refuse=refuse,
        lingering=LingeringStreams(settings),
    )
