"""Settings, windows and resets that a client sends. Built only with libnghttp2."""

from fastpay._native.http2_streams import StreamTable

class ControlFrames(StreamTable):
    """A table of streams that follows what the client says about them."""
