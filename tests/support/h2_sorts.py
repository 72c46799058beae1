"""Every sort of HTTP/2 fault, by what it costs: a request, a stream or the connection."""

import struct
from collections.abc import Callable

from tests.support.h2_client import frame
from tests.support.h2_raw import (
    CANCEL,
    COMPRESSION_ERROR,
    CONTINUATION,
    DATA,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    GOAWAY,
    HEADERS,
    PING,
    PRIORITY,
    PROTOCOL_ERROR,
    PUSH_PROMISE,
    RST,
    SETTINGS,
    STREAM_CLOSED,
    WINDOW_UPDATE,
    WITH_PRIORITY,
    Fields,
    RawClient,
    request,
)

_PSEUDO = request("POST")


def _without(name: str) -> Fields:
    return [pair for pair in _PSEUDO if pair[0] != name]


# Malformed by its field block (RFC 9113 8.1.1): 400, then RST_STREAM PROTOCOL_ERROR.
MALFORMED: dict[str, Fields] = {
    "a host unlike :authority": [*_PSEUDO, ("host", "b")],
    "connection": [*_PSEUDO, ("connection", "close")],
    "keep-alive": [*_PSEUDO, ("keep-alive", "1")],
    "proxy-connection": [*_PSEUDO, ("proxy-connection", "close")],
    "transfer-encoding": [*_PSEUDO, ("transfer-encoding", "chunked")],
    "upgrade": [*_PSEUDO, ("upgrade", "h2c")],
    "te": [*_PSEUDO, ("te", "gzip")],
    "upper case": [*_PSEUDO, ("X-Case", "y")],
    "CR LF in a value": [*_PSEUDO, ("x", "a\r\nb: c")],
    "LF in a value": [*_PSEUDO, ("x", "a\nb")],
    "NUL in a value": [*_PSEUDO, ("x", "a\0b")],
    "a value that begins with a space": [*_PSEUDO, ("x", " a")],
    "a value that ends with a tab": [*_PSEUDO, ("x", "a\t")],
    "CR LF in a name": [*_PSEUDO, ("x\r\ny", "a")],
    "a colon in a name": [*_PSEUDO, ("x:y", "a")],
    "a space in a name": [*_PSEUDO, ("x y", "a")],
    "an empty name": [*_PSEUDO, ("", "a")],
    "a name outside of ASCII": [*_PSEUDO, (b"x\xff", "a")],
    "a pseudo-header field after a field": [*_without(":path"), ("x", "y"), (":path", "/")],
    "a repeated :method": [(":method", "POST"), *_PSEUDO],
    "a repeated :path": [*_PSEUDO, (":path", "/b")],
    "a repeated :authority": [*_PSEUDO, (":authority", "a")],
    "an unknown pseudo-header field": [*_PSEUDO, (":magic", "a")],
    "a pseudo-header field of responses": [(":status", "200"), *_PSEUDO],
    "an informational response": [(":status", "100"), *_PSEUDO],
    "nothing but a status": [(":status", "103")],
    ":protocol without CONNECT": [*_PSEUDO, (":protocol", "websocket")],
    "no :method": _without(":method"),
    "no :scheme": _without(":scheme"),
    "no :path": _without(":path"),
    "no fields": [],
    "neither :authority nor host": _without(":authority"),
    "an empty :path": [*_without(":path"), (":path", "")],
    "another scheme": [*_without(":scheme"), (":scheme", "ftp")],
    "CR LF in :path": [*_without(":path"), (":path", "/a\r\nb")],
    "CR LF in :authority": [*_without(":authority"), (":authority", "a\r\nb")],
    "CR LF in :method": [*_without(":method"), (":method", "POST\r\nx: y")],
    "CR LF in :scheme": [*_without(":scheme"), (":scheme", "http\r\nx: y")],
    "a signed content-length": [*_PSEUDO, ("content-length", "+1")],
    "an empty content-length": [*_PSEUDO, ("content-length", "")],
    "two content-lengths": [*_PSEUDO, ("content-length", "1"), ("content-length", "2")],
}

Make = Callable[[RawClient], tuple[int, bytes]]


def _posted(*pieces: Callable[[int], bytes], fields: Fields = ()) -> Make:
    """Return what opens a stream and sends frames on it."""

    def make(client: RawClient) -> tuple[int, bytes]:
        stream, head = client.head([*_PSEUDO, *fields], end=False)
        return stream, head + b"".join(piece(stream) for piece in pieces)

    return make


def _trailers(*fields: tuple[str, str], end: bool = True) -> Make:
    def make(client: RawClient) -> tuple[int, bytes]:
        stream, head = client.head(_PSEUDO, end=False)
        return stream, head + client.head(fields, end=end, stream=stream)[1]

    return make


def _length(value: int, *sizes: int) -> Make:
    """Return what promises a body of one length and sends another."""

    def make(client: RawClient) -> tuple[int, bytes]:
        stream, data = client.head([*_PSEUDO, ("content-length", str(value))], end=not sizes)
        for place, size in enumerate(sizes):
            data += frame(DATA, int(place + 1 == len(sizes)), stream, b"x" * size)
        return stream, data

    return make


# Malformed by what follows the field block: as above.
MALFORMED_LATER: dict[str, Make] = {
    "a length without a body": _length(5),
    "less body than its length": _length(5, 4),
    "more body than its length": _length(5, 4, 2),
    "body where its length is zero": _length(0, 1),
    "trailers that do not end the stream": _trailers(("x", "y"), end=False),
    "a pseudo-header field in trailers": _trailers((":path", "/")),
    "upper case in trailers": _trailers(("X", "y")),
    "CR LF in trailers": _trailers(("x", "a\r\nb")),
    "a length in trailers": _trailers(("content-length", "0")),
    "connection in trailers": _trailers(("connection", "close")),
}


def _then(kind: int, payload: bytes, flags: int = 0) -> Make:
    return _posted(lambda stream: frame(kind, flags, stream, payload))


def _depends_on_itself(client: RawClient) -> tuple[int, bytes]:
    stream = client.next_stream
    client.next_stream += 2
    block = struct.pack(">IB", stream, 1) + client.encoder.encode(_PSEUDO)
    return stream, frame(HEADERS, WITH_PRIORITY | 5, stream, block)


# Faults of frames that are a stream's alone: RST_STREAM with this code.
STREAM_ERRORS: dict[str, tuple[int, Make]] = {
    "a window opened by zero": (PROTOCOL_ERROR, _then(WINDOW_UPDATE, bytes(4))),
    "a window opened too far": (FLOW_CONTROL_ERROR, _then(WINDOW_UPDATE, b"\x7f\xff\xff\xff")),
    "PRIORITY too short": (FRAME_SIZE_ERROR, _then(PRIORITY, bytes(4))),
    "PRIORITY too long": (FRAME_SIZE_ERROR, _then(PRIORITY, bytes(6))),
    "PRIORITY on itself": (
        PROTOCOL_ERROR,
        _posted(lambda stream: frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 1))),
    ),
    "HEADERS that depend on themselves": (PROTOCOL_ERROR, _depends_on_itself),
    "DATA after the end": (
        STREAM_CLOSED,
        _posted(lambda stream: frame(DATA, 1, stream, b"a") + frame(DATA, 0, stream, b"b")),
    ),
    "DATA after a reset": (
        STREAM_CLOSED,
        _posted(
            lambda stream: frame(RST, 0, stream, struct.pack(">I", CANCEL)) + frame(DATA, 0, stream, b"b")
        ),
    ),
}

# Faults of the connection: GOAWAY with this code, when what was asked for is answered.
CONNECTION_ERRORS: dict[str, tuple[int, Callable[[RawClient], bytes]]] = {
    "a field block that cannot be decoded": (
        COMPRESSION_ERROR,
        lambda client: frame(HEADERS, 5, client.next_stream, b"\xff\xff\xff\xff\xff\xff\xff\xff"),
    ),
    "a field block that is cut short": (
        COMPRESSION_ERROR,
        lambda client: frame(HEADERS, 5, client.next_stream, b"\x00\x05x"),
    ),
    "DATA on stream 0": (PROTOCOL_ERROR, lambda client: frame(DATA, 0, 0, b"x")),
    "DATA on an idle stream": (PROTOCOL_ERROR, lambda client: frame(DATA, 0, client.next_stream, b"x")),
    "RST_STREAM on an idle stream": (
        PROTOCOL_ERROR,
        lambda client: frame(RST, 0, client.next_stream, bytes(4)),
    ),
    "a window opened on an idle stream": (
        PROTOCOL_ERROR,
        lambda client: frame(WINDOW_UPDATE, 0, client.next_stream, b"\0\0\0\1"),
    ),
    "an even stream": (PROTOCOL_ERROR, lambda client: frame(HEADERS, 5, 2, b"\x82\x84\x86\x41\x01a")),
    "a stream opened out of order": (
        PROTOCOL_ERROR,
        lambda client: (
            frame(HEADERS, 5, client.next_stream + 4, b"\x82\x84\x86\x41\x01a")
            + frame(HEADERS, 5, client.next_stream, b"\x82\x84\x86\x41\x01a")
        ),
    ),
    "too much padding": (PROTOCOL_ERROR, lambda client: frame(DATA, 8, 1, b"\x05abc")),
    "SETTINGS of an odd length": (FRAME_SIZE_ERROR, lambda client: frame(SETTINGS, 0, 0, bytes(5))),
    "SETTINGS acknowledged with content": (FRAME_SIZE_ERROR, lambda client: frame(SETTINGS, 1, 0, bytes(6))),
    "a window setting out of range": (
        FLOW_CONTROL_ERROR,
        lambda client: frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31)),
    ),
    "a connection's window opened by zero": (
        PROTOCOL_ERROR,
        lambda client: frame(WINDOW_UPDATE, 0, 0, bytes(4)),
    ),
    "a connection's window opened too far": (
        FLOW_CONTROL_ERROR,
        lambda client: frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"),
    ),
    "PING of another length": (FRAME_SIZE_ERROR, lambda client: frame(PING, 0, 0, bytes(7))),
    "RST_STREAM of another length": (FRAME_SIZE_ERROR, lambda client: frame(RST, 0, 1, bytes(5))),
    "PUSH_PROMISE": (
        PROTOCOL_ERROR,
        lambda client: frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2\x82"),
    ),
    "CONTINUATION of nothing": (PROTOCOL_ERROR, lambda client: frame(CONTINUATION, 4, 1, b"\x82")),
    "a frame amid a field block": (
        PROTOCOL_ERROR,
        lambda client: frame(HEADERS, 1, client.next_stream, b"\x82") + frame(PING, 0, 0, bytes(8)),
    ),
    "a frame that is too large": (FRAME_SIZE_ERROR, lambda client: frame(0xBB, 0, 0, bytes(16_385))),
    "GOAWAY on a stream": (PROTOCOL_ERROR, lambda client: frame(GOAWAY, 0, 1, bytes(8))),
    "HEADERS on a stream that has ended": (
        STREAM_CLOSED,
        lambda client: frame(HEADERS, 5, 1, b"\x82\x84\x86\x41\x01a"),
    ),
}
