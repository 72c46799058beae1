"""The rules for HTTP/2 requests in plain Python; `_native/http2_request.pyx` lists them."""

import re
from typing import Any, NamedTuple

from fastpay._native.target import check_host, read_target

_NAME = re.compile(rb"[!#$%&'*+\-.^`|~0-9a-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_METHOD_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TARGET = re.compile(rb"[-._~!$&'()*+,;=:@/?%\[\]0-9A-Za-z]*")

_PSEUDO = frozenset({b":method", b":scheme", b":authority", b":path"})
_NEEDED = (b":method", b":scheme", b":path")
_SCHEMES = frozenset({b"http", b"https"})
_CONNECTION = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"transfer-encoding", b"upgrade"})

Headers = list[tuple[bytes, bytes]]

# Keys of REFUSALS in server/refusal.py.
_TARGET_CHARACTER, _TARGET_LENGTH, _METHOD, _NAME_REFUSED, _UNDERSCORE, _VALUE_REFUSED = 5, 6, 8, 9, 10, 11
_COUNT, _BYTES, _BODY_LENGTH = 13, 14, 18
_HOST_MISSING, _HOST_REPEATED, _HOST_INVALID, _HOST_DIFFERENT = 33, 34, 35, 36
_LENGTH_INVALID, _LENGTH_REPEATED, _FIELD_REPEATED, _EXPECTATION, _TARGET_FORM = 41, 42, 43, 45, 46
_PSEUDO_REFUSED, _CONNECTION_REFUSED, _TE_REFUSED, _VALUE_ENDS = 48, 49, 50, 51
LENGTH_DIFFERENT, TRAILERS_REFUSED = 52, 53


class Reading(NamedTuple):
    """The fields for the transport: `fault` is 0 or the refusal, `length` -1 or the body's length."""

    fault: int
    expects_continue: bool = False
    length: int = -1


class RequestPolicy:
    """Builds ASGI scopes from the fields of HTTP/2 requests, or returns the refusal."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._single = frozenset(name.lower().encode() for name in settings.single_headers)

    def build_scope(self, fields: Headers, scope: dict[str, Any]) -> Reading:
        """Fill a scope from the fields of a request."""
        pseudo: dict[bytes, bytes] = {}
        fault = pseudo_count = 0
        for name, value in fields:
            if name[:1] != b":":
                break
            pseudo_count += 1
            if name in pseudo or name not in _PSEUDO:
                fault = _PSEUDO_REFUSED
            pseudo[name] = value
        method = pseudo.get(b":method", b"")
        scope["method"] = method.decode("latin-1")
        if method == b"CONNECT":
            return Reading(_METHOD)
        if len(fields) > self._settings.header_count_max:
            return Reading(_COUNT)
        if not fault:
            fault = self._check_pseudo(pseudo)
        if fault:
            return Reading(fault)
        headers, fault, length = self._check_fields(fields, pseudo_count, pseudo.get(b":authority"))
        expects = any(name == b"expect" for name, _ in headers)
        scope["headers"] = headers
        fault = fault or read_target(pseudo[b":path"], headers[0][1], scope["method"], scope)
        return Reading(fault, expects, length)

    def check_trailers(self, fields: Headers) -> int:
        """Return 0, or the refusal for trailer fields."""
        if len(fields) > self._settings.header_count_max:
            return _COUNT
        if sum(len(name) + len(value) + 4 for name, value in fields) > self._settings.header_bytes_max:
            return _BYTES
        seen: set[bytes] = set()
        for name, value in fields:
            if name == b"content-length" or self._check_field(name, value, seen):
                return TRAILERS_REFUSED
        return 0

    def _check_pseudo(self, pseudo: dict[bytes, bytes]) -> int:
        if not all(name in pseudo for name in _NEEDED) or not _METHOD_TOKEN.fullmatch(pseudo[b":method"]):
            return _PSEUDO_REFUSED
        if pseudo[b":scheme"].lower() not in _SCHEMES:
            return _PSEUDO_REFUSED
        target = pseudo[b":path"]
        if len(target) > self._settings.target_bytes_max:
            return _TARGET_LENGTH
        if not _TARGET.fullmatch(target):
            return _TARGET_CHARACTER
        # RFC 9113 8.3.1: there is no absolute form.
        return 0 if target[:1] == b"/" or target == b"*" else _TARGET_FORM

    def _check_fields(self, fields: Headers, start: int, authority: bytes | None) -> tuple[Headers, int, int]:
        headers: Headers = [(b"host", authority or b"")]
        cookies: list[bytes] = []
        seen: set[bytes] = set()
        size = fault = 0
        length = -1
        for name, value in fields:
            size += len(name) + len(value) + 4
        for name, value in fields[start:] if start else fields:
            fault = fault or self._check_field(name, value, seen)
            if name == b"host":
                fault = fault or (_HOST_DIFFERENT if authority is not None and value != authority else 0)
                headers[0] = (b"host", value)
            elif name == b"cookie":
                cookies.append(value)
            else:
                headers.append((name, value))
                if name == b"content-length" and not fault:
                    length = int(value)
        if cookies:
            # RFC 9113 8.2.3: the parts of a split cookie field are joined again.
            headers.append((b"cookie", b"; ".join(cookies)))
        if size > self._settings.header_bytes_max:
            fault = _BYTES
        elif not fault and not headers[0][1]:
            fault = _HOST_MISSING
        elif not fault and not check_host(headers[0][1]):
            fault = _HOST_INVALID
        return headers, fault, length

    def _check_field(self, name: bytes, value: bytes, seen: set[bytes]) -> int:
        if b"_" in name or not _NAME.fullmatch(name):
            return _UNDERSCORE if b"_" in name else _NAME_REFUSED
        if not _VALUE.fullmatch(value):
            return _VALUE_REFUSED
        if value[:1] in {b" ", b"\t"} or value[-1:] in {b" ", b"\t"}:
            return _VALUE_ENDS
        if name in _CONNECTION:
            return _CONNECTION_REFUSED
        repeated = name in seen
        seen.add(name)
        return self._check_meaning(name, value, repeated=repeated)

    def _check_meaning(self, name: bytes, value: bytes, *, repeated: bool) -> int:
        if name == b"te" and value.lower() != b"trailers":
            return _TE_REFUSED
        if name == b"host":
            return _HOST_REPEATED if repeated else 0
        if name == b"content-length":
            return _LENGTH_REPEATED if repeated else self._check_length(value)
        if name == b"expect" and value.lower() != b"100-continue":
            return _EXPECTATION
        return _FIELD_REPEATED if repeated and name in self._single else 0

    def _check_length(self, value: bytes) -> int:
        if not value.isdigit() or len(value) > 15:
            return _LENGTH_INVALID
        return _BODY_LENGTH if int(value) > self._settings.body_bytes_max else 0
