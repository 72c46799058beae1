"""The engines of HTTP/2: which codec new connections get.

`native` is compiled over libnghttp2. A request takes about a twelfth of the instructions that it takes with
`h2` (docs/BENCHMARKS.md). It is there only if the library was there when fastpay was built.
"""

import logging
import struct
from collections.abc import Callable
from typing import Any

from fastpay import limits
from fastpay.config import Http2Engine
from fastpay.errors import ConfigurationError
from fastpay.server.http2_codec import Codec
from fastpay.server.http2_events import Http2Codec

try:
    from fastpay._native import hpack
    from fastpay._native.http2_codec import Http2Codec as NativeCodec
except ImportError as error:
    _missing: ImportError | None = error
else:
    _missing = None

logger = logging.getLogger(__name__)

# RFC 9113 6.5.2, in the order in which h2 sends them.
_HEADER_TABLE_SIZE, _ENABLE_PUSH, _INITIAL_WINDOW_SIZE, _MAX_FRAME_SIZE = 1, 2, 4, 5
_ENABLE_CONNECT_PROTOCOL, _MAX_CONCURRENT_STREAMS, _MAX_HEADER_LIST_SIZE = 8, 3, 6


def why_not_native() -> str:
    """Return why the native engine cannot be used, or an empty string."""
    if _missing is not None:
        return f"it was built without libnghttp2, or cannot load it ({_missing})"
    found = hpack.linked_version()
    if found < limits.nghttp2_version_min:
        return f"libnghttp2 {_dotted(found)} is older than {_dotted(limits.nghttp2_version_min)}"
    return ""


def choose(named: Http2Engine | None) -> Http2Engine:
    """Return the engine to use: the named one, or native where it can be used.

    Raises: ConfigurationError if native was named and cannot be used.
    """
    if named == "h2":
        return "h2"
    fault = why_not_native()
    if fault and named == "native":
        raise ConfigurationError(f"http2_engine = native cannot be used: {fault}")
    if fault and _missing is None:
        logger.warning("http2_engine_replaced", extra={"fields": {"reason": fault}})
    return "h2" if fault else "native"


def create_codecs(engine: Http2Engine, settings: Any) -> Callable[[], Http2Codec]:
    """Return what makes the codec of a connection."""
    if engine == "h2":
        return lambda: Codec(settings.header_bytes_max, settings.header_count_max)
    first_frame = b"".join(
        struct.pack(">HL", name, value)
        for name, value in (
            (_HEADER_TABLE_SIZE, 4_096),
            (_ENABLE_PUSH, 0),
            (_INITIAL_WINDOW_SIZE, limits.http2_window_bytes),
            (_MAX_FRAME_SIZE, limits.http2_frame_bytes_max),
            (_ENABLE_CONNECT_PROTOCOL, 0),
            (_MAX_CONCURRENT_STREAMS, limits.http2_streams_max),
            (_MAX_HEADER_LIST_SIZE, settings.header_bytes_max),
        )
    )
    return lambda: NativeCodec(
        settings=first_frame,
        header_bytes_max=settings.header_bytes_max,
        header_count_max=settings.header_count_max,
        streams_max=limits.http2_streams_max,
        closed_streams_max=limits.http2_closed_streams_max,
        frame_bytes_max=limits.http2_frame_bytes_max,
        table_bytes_max=limits.http2_table_bytes_max,
    )


def _dotted(version: tuple[int, int, int]) -> str:
    return ".".join(str(number) for number in version)
