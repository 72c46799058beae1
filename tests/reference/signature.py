"""Signatures made and checked slowly and plainly: what `fastpay._native.signature` must agree with."""

import base64
import hashlib
import hmac
import re

from fastpay import limits

_ELEMENT = re.compile(rb"([A-Za-z0-9_-]+)=([!-+\--~]+)")
_TIMESTAMP = re.compile(rb"0|[1-9][0-9]{0,11}")
_CANDIDATE = re.compile(rb"[0-9a-f]{64}")


def request_message(timestamp: int, method: str, target: bytes, body: bytes) -> bytes:
    """Return what the signature of a request is made over."""
    return f"{timestamp}.{method}.".encode() + target + b"." + hashlib.sha256(body).hexdigest().encode()


def webhook_message(timestamp: int, body: bytes) -> bytes:
    """Return what the signature of a webhook is made over."""
    return f"{timestamp}.".encode() + body


def digest(secret: bytes, message: bytes) -> bytes:
    """Return the HMAC-SHA256."""
    return hmac.new(secret, message, hashlib.sha256).digest()


def header(secrets: tuple[bytes, ...], message: bytes, timestamp: int) -> str:
    """Return the header of a request or a webhook."""
    return ",".join([f"t={timestamp}", *(f"v1={digest(secret, message).hex()}" for secret in secrets)])


def standard_header(secrets: tuple[bytes, ...], identifier: str, body: bytes, timestamp: int) -> str:
    """Return the webhook-signature of Standard Webhooks."""
    message = f"{identifier}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(digest(secret, message)).decode() for secret in secrets)


def parse(text: bytes) -> tuple[int, list[bytes]] | None:
    """Return timestamp and candidates of a header, or None where it is not well formed."""
    if len(text) > limits.signature_header_bytes_max:
        return None
    elements = [_ELEMENT.fullmatch(part) for part in text.split(b",")]
    if not all(elements):
        return None
    pairs = [(element[1], element[2]) for element in elements if element is not None]
    times = [value for name, value in pairs if name == b"t"]
    candidates = [value for name, value in pairs if name == b"v1"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]):
        return None
    if not 1 <= len(candidates) <= limits.signature_candidates_max:
        return None
    if not all(_CANDIDATE.fullmatch(candidate) for candidate in candidates):
        return None
    return int(times[0]), [bytes.fromhex(candidate.decode()) for candidate in candidates]


def verify_request(
    secrets: tuple[bytes, ...], text: bytes, method: str, target: bytes, body: bytes, now_s: int
) -> int | None:
    """Return the timestamp of a request that is rightly signed, else None."""
    parsed = parse(text)
    if parsed is None:
        return None
    return _check(secrets, parsed, request_message(parsed[0], method, target, body), now_s)


def verify_webhook(secrets: tuple[bytes, ...], text: bytes, body: bytes, now_s: int) -> int | None:
    """Return the timestamp of a webhook that is rightly signed, else None."""
    parsed = parse(text)
    if parsed is None:
        return None
    return _check(secrets, parsed, webhook_message(parsed[0], body), now_s)


def _check(
    secrets: tuple[bytes, ...], parsed: tuple[int, list[bytes]], message: bytes, now_s: int
) -> int | None:
    timestamp, candidates = parsed
    if abs(now_s - timestamp) > limits.signature_tolerance_s:
        return None
    return timestamp if any(digest(secret, message) in candidates for secret in secrets) else None
