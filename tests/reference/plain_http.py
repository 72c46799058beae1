"""Requests and plain answers over HTTP/1.1, by joining lines and by regular expressions."""

import re
from collections.abc import Mapping

from fastpay import limits
from fastpay.outbound.http1.heads import join_head

_HEAD = re.compile(rb"HTTP/1\.1 ([2-5][0-9]{2}) [ -~]*\r\n((?:[^\r\n]*\r\n)*?)\r\n", re.DOTALL)
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): *([!-~](?:[ -~]*[!-~])?)")
_BODILESS = (204, 304)
_RULED = (b"transfer-encoding", b"connection", b"proxy-connection", b"upgrade")


def write_request(method: str, target: str, host: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """Return a request. Raises: ValueError."""
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *map(": ".join, headers.items())]
    if body or method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return join_head(lines) + b"\r\n\r\n" + body


def read_answer(data: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes] | None:
    """Return status, fields and body of a plain answer."""
    head = _HEAD.match(data)
    if head is None or int(head[1]) in _BODILESS:
        return None
    found = [_FIELD.fullmatch(line) for line in head[2].split(b"\r\n")[:-1]]
    fields = [(one[1].lower(), one[2]) for one in found if one is not None]
    lengths = [value for name, value in fields if name == b"content-length"]
    ruled = [(name, value.lower()) for name, value in fields if name in _RULED]
    if (
        len(fields) < len(found)
        or len(fields) > limits.outbound_head_fields_max
        or any(len(name) + len(value) > limits.outbound_head_line_bytes_max for name, value in fields)
        or any(one != (b"connection", b"keep-alive") for one in ruled)
        or [re.fullmatch(rb"[0-9]{1,15}", one) is not None for one in lengths] != [True]
        or int(lengths[0]) != len(data) - head.end()
    ):
        return None
    return int(head[1]), fields, data[head.end() :]
