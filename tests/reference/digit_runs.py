"""`fastpay/_native/digit_runs.pyx` in plain Python: decode all of it, then look for the digits."""

import re
from urllib.parse import unquote_to_bytes

_RUN = re.compile(rb"(?:[0-9\xc0-\xff][\x80-\xbf]*[\t-\r\x1c-\x1f ._-]{0,2}[\x80-\xbf]*){13}")
_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|([\"\\/bfnrt]))?")


def in_text(text: str) -> bool:
    return _in_bytes(text.encode("utf-8", "surrogatepass"))


def in_form(text: bytes) -> bool:
    return _in_bytes(unquote_to_bytes(text.replace(b"+", b" ")))


def in_json(text: bytes) -> bool:
    return _in_bytes(_ESCAPE.sub(_unescaped, text))


def _in_bytes(text: bytes) -> bool:
    return _RUN.search(_without_continuations(text)) is not None


def _without_continuations(text: bytes) -> bytes:
    return bytes(byte for byte in text if not 0x80 <= byte <= 0xBF)


def _unescaped(found: re.Match[bytes]) -> bytes:
    if found[1] is None:
        return b" " if found[2] else b"x"
    code = int(found[1], 16)
    return bytes([code]) if code < 0x80 else b"\xc3"
