"""The server's side of one HTTP/2 connection's streams: responses, windows, resets."""

from fastpay._native.http2_exchange import Http2Exchange
from fastpay._native.poller import Endpoint

class Http2Owner(Endpoint):
    """What the streams tell their connection."""

class ServedStreams:
    """The open streams, and the sending of responses on them."""

    streams: dict[int, Http2Exchange]
