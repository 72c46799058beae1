"""The policy for requests over HTTP/2: the same as for HTTP/1.1, in the words of RFC 9113."""

import re
from typing import Any

from fastpay._native.target import check_host, read_target

_NAME = re.compile(rb"[!#$%&'*+\-.^`|~0-9a-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_TARGET = re.compile(rb"[-._~!$&'()*+,;=:@/?%\[\]0-9A-Za-z]*")

Headers = list[tuple[bytes, bytes]]

# The refusals of server/refusal.py.
_TARGET_CHARACTER, _TARGET_LENGTH, _METHOD, _NAME_REFUSED, _UNDERSCORE, _VALUE_REFUSED = 5, 6, 8, 9, 10, 11
_COUNT, _BYTES, _BODY_LENGTH = 13, 14, 18
_HOST_MISSING, _HOST_REPEATED, _HOST_INVALID, _HOST_DIFFERENT = 33, 34, 35, 36
_LENGTH_INVALID, _LENGTH_REPEATED, _FIELD_REPEATED, _EXPECTATION, _TARGET_FORM = 41, 42, 43, 45, 46


class RequestPolicy:
    """Builds scopes from the fields of HTTP/2 requests, or says why not."""

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._single = frozenset(name.lower().encode() for name in settings.single_headers)

    def build_scope(self, fields: Headers, scope: dict[str, Any]) -> tuple[int, bool]:
        """Fill a scope; return 0 or the refusal, and whether the client waits for 100 (Continue)."""
        pseudo = {name: value for name, value in fields if name[:1] == b":"}
        method = pseudo.get(b":method", b"").decode("latin-1")
        scope["method"] = method
        target = pseudo.get(b":path", b"")
        if method == "CONNECT" or b":protocol" in pseudo:
            return _METHOD, False
        if len(target) > self._settings.target_bytes_max:
            return _TARGET_LENGTH, False
        if not _TARGET.fullmatch(target):
            return _TARGET_CHARACTER, False
        if target[:1] != b"/" and target != b"*":
            # RFC 9113 8.3.1: the absolute form does not exist here.
            return _TARGET_FORM, False
        headers, fault = self._check_fields(fields, pseudo.get(b":authority"))
        expects = any(name == b"expect" for name, _ in headers)
        scope["headers"] = headers
        return fault or read_target(target, headers[0][1], method, scope), expects

    def _check_fields(self, fields: Headers, authority: bytes | None) -> tuple[Headers, int]:
        settings = self._settings
        headers: Headers = [(b"host", authority or b"")]
        cookies: list[bytes] = []
        seen: set[bytes] = set()
        size = fault = 0
        for name, value in fields:
            size += len(name) + len(value) + 4
            if name[:1] == b":":
                continue
            fault = fault or self._check_field(name, value, seen)
            if name == b"host":
                fault = fault or (_HOST_DIFFERENT if authority is not None and value != authority else 0)
                headers[0] = (b"host", value)
            elif name == b"cookie":
                cookies.append(value)
            else:
                headers.append((name, value))
        if cookies:
            # RFC 9113 8.2.3: crumbs of one cookie field are put together again.
            headers.append((b"cookie", b"; ".join(cookies)))
        if len(fields) > settings.header_count_max:
            fault = _COUNT
        elif size > settings.header_bytes_max:
            fault = _BYTES
        elif not fault and not headers[0][1]:
            fault = _HOST_MISSING
        elif not fault and not check_host(headers[0][1]):
            fault = _HOST_INVALID
        return headers, fault

    def _check_field(self, name: bytes, value: bytes, seen: set[bytes]) -> int:
        if b"_" in name or not _NAME.fullmatch(name):
            return _UNDERSCORE if b"_" in name else _NAME_REFUSED
        if not _VALUE.fullmatch(value):
            return _VALUE_REFUSED
        repeated = name in seen
        seen.add(name)
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
