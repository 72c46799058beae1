"""Signatures made and checked slowly and plainly: what `fastpay._native.signature` must agree with."""

import base64
import hashlib
import hmac
import re

from fastpay import limits

_ELEMENT = re.compile(rb"([A-Za-z0-9_-]+)=([!-+\--~]+)")
_TIMESTAMP = re.compile(rb"0|[1-9][0-9]{0,11}")
_CANDIDATE = re.compile(rb"[0-9a-f]{64}")
_ESCAPED = {ord("."): b"%2E", ord("%"): b"%25"}


def request_message(
    timestamp: int, method: str, target: bytes, body: bytes, *, key: bytes | None = None
) -> bytes:
    """Return what the signature of a request is made over: in version 2 with a key, in version 1 without."""
    digest = hashlib.sha256(body).hexdigest().encode()
    parts = [str(timestamp).encode(), method.encode(), target, digest]
    if key is not None:
        parts.insert(3, b"".join(_ESCAPED.get(byte, bytes([byte])) for byte in key))
    return b".".join(parts)


def webhook_message(timestamp: int, body: bytes) -> bytes:
    """Return what the signature of a webhook is made over."""
    return f"{timestamp}.".encode() + body


def digest(secret: bytes, message: bytes) -> bytes:
    """Return the HMAC-SHA256."""
    return hmac.new(secret, message, hashlib.sha256).digest()


def header(secrets: tuple[bytes, ...], message: bytes, timestamp: int, *, version: int = 1) -> str:
    """Return the header of a request or a webhook."""
    signatures = [f"v{version}={digest(secret, message).hex()}" for secret in secrets]
    return ",".join([f"t={timestamp}", *signatures])


def signed(
    secrets: tuple[bytes, ...], method: str, target: bytes, body: bytes, timestamp: int, key: bytes = b""
) -> str:
    """Return the header of a request, in version 2."""
    message = request_message(timestamp, method, target, body, key=key)
    return header(secrets, message, timestamp, version=2)


def signed_first(secrets: tuple[bytes, ...], method: str, target: bytes, body: bytes, timestamp: int) -> str:
    """Return the header of a request, in version 1."""
    return header(secrets, request_message(timestamp, method, target, body), timestamp)


def standard_header(secrets: tuple[bytes, ...], identifier: str, body: bytes, timestamp: int) -> str:
    """Return the webhook-signature of Standard Webhooks."""
    message = f"{identifier}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(digest(secret, message)).decode() for secret in secrets)


def parse(text: bytes, versions: tuple[bytes, ...]) -> tuple[int, list[bytes], int] | None:
    """Return timestamp, candidates of the newest version and this version; None where it is malformed."""
    if len(text) > limits.signature_header_bytes_max:
        return None
    elements = [_ELEMENT.fullmatch(part) for part in text.split(b",")]
    if not all(elements):
        return None
    pairs = [(element[1], element[2]) for element in elements if element is not None]
    times = [value for name, value in pairs if name == b"t"]
    found = [(name, value) for name, value in pairs if name in versions]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]):
        return None
    if not 1 <= len(found) <= limits.signature_candidates_max:
        return None
    if not all(_CANDIDATE.fullmatch(candidate) for _, candidate in found):
        return None
    newest = max(name for name, _ in found)
    candidates = [bytes.fromhex(value.decode()) for name, value in found if name == newest]
    return int(times[0]), candidates, int(newest[1:])


def verify_request(
    secrets: tuple[bytes, ...],
    text: bytes,
    method: str,
    target: bytes,
    body: bytes,
    now_s: int,
    key: bytes = b"",
    covers_key: bool = False,
) -> int | None:
    """Return the timestamp of a request that is rightly signed, else None."""
    parsed = parse(text, (b"v1", b"v2"))
    if parsed is None or (covers_key and parsed[2] == 1):
        return None
    message = request_message(parsed[0], method, target, body, key=key if parsed[2] == 2 else None)
    return _check(secrets, parsed[:2], message, now_s)


def verify_webhook(secrets: tuple[bytes, ...], text: bytes, body: bytes, now_s: int) -> int | None:
    """Return the timestamp of a webhook that is rightly signed, else None."""
    parsed = parse(text, (b"v1",))
    if parsed is None:
        return None
    return _check(secrets, parsed[:2], webhook_message(parsed[0], body), now_s)


def _check(
    secrets: tuple[bytes, ...], parsed: tuple[int, list[bytes]], message: bytes, now_s: int
) -> int | None:
    timestamp, candidates = parsed
    if abs(now_s - timestamp) > limits.signature_tolerance_s:
        return None
    return timestamp if any(digest(secret, message) in candidates for secret in secrets) else None
