"""The client's side of one HTTP/2 connection: requests, bodies and deadlines."""

from fastpay._native.http2_sending import ServedStreams

class Guard(ServedStreams):
    """The state of one HTTP/2 connection between its codec and the application."""
