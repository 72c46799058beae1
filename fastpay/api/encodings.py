"""Answers in fewer bytes: which coding a client is sent, and what is never encoded.

An answer that holds a secret beside what clients put there (a payment's client_secret beside its metadata) is
sent as it is, whoever asks: its encoded length would tell how much the two are alike, and so the secret, byte
for byte, to somebody who can have many of them made and see how long they are. What counts is what the answer
holds, not which path it came from, so that no expansion and no new path can be forgotten.

The codings are used at their cheapest, which for JSON gives away little: on 100 charges (109 kB) zstd makes
8.7 kB in 61 us, brotli 9.3 kB in 96 us, gzip 12.4 kB in 412 us.

Source: RFC 9110 8.8.3.3, 12.5.3 and 12.5.5; https://www.breachattack.com.
"""

import re
import sys
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

import brotli

from fastpay import limits
from fastpay.api.context import Reply

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_LEVEL = 1
_GZIP_WINDOW = 16 + zlib.MAX_WBITS


def _zstd(body: bytes) -> bytes:
    return zstd.compress(body, _LEVEL)


def _brotli(body: bytes) -> bytes:
    shorter: bytes = brotli.compress(body, quality=_LEVEL)
    return shorter


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, _LEVEL, _GZIP_WINDOW)


# Which one is taken where a client likes several as much: the first.
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "br": _brotli, "gzip": _gzip}

# As JSON spells them, with text in them: a quote inside a text has a backslash before it.
_CLIENT_SECRET = b'"client_secret":"'
_SECRET = b'"secret":"'
VARY = (b"vary", b"accept-encoding")

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ELEMENT = re.compile(
    rf"[ \t]*(?:({_NAME})(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{{0,3}})?|1(?:\.0{{0,3}})?))?)?[ \t]*(?:,|\Z)"
)


class Choice(NamedTuple):
    """What a client is sent: a coding, None for none at all. `is_must` says that it refuses to have none."""

    coding: str | None
    is_must: bool = False


_AS_IT_IS = Choice(None)


def encoded(reply: Reply, accepted: str | None) -> Reply:
    """Return a reply as a client wants it, which accepts these codings; the same one where it stays."""
    body = reply.body
    if not is_encodable(body):
        return reply
    # Whoever keeps an answer must know that it could have been another.
    headers = (*reply.headers, VARY)
    coding = None if accepted is None else coding_for(len(body), accepted)
    if coding is not None:
        body = CODINGS[coding](body) if reply.encoded is None else reply.encoded(coding)
        coded = (b"content-encoding", coding.encode())
        headers = (*((name, weakened(value) if name == b"etag" else value) for name, value in headers), coded)
    return Reply(status=reply.status, body=body, content_type=reply.content_type, headers=headers)


def is_encodable(body: bytes) -> bool:
    """Tell whether a body may be encoded at all."""
    return bool(body) and _CLIENT_SECRET not in body and _SECRET not in body


def coding_for(body_bytes: int, accepted: str) -> str | None:
    """Return the coding for a body of this size, None where it stays as it is."""
    if body_bytes > limits.encoded_bytes_max:
        return None
    choice = choose(accepted)
    return choice.coding if choice.is_must or body_bytes >= limits.encoded_bytes_min else None


def weakened(etag: bytes) -> bytes:
    """Return the tag for other bytes that say the same once they are decoded."""
    return etag if etag.startswith(b"W/") else b"W/" + etag


def choose(accepted: str) -> Choice:
    """Return what the client likes best of what there is. A header that makes no sense says nothing."""
    return _choose(accepted) if len(accepted) <= limits.accept_encoding_chars_max else _AS_IT_IS


@lru_cache(maxsize=limits.accept_encodings_kept)
def _choose(accepted: str) -> Choice:
    weights = _weights(accepted)
    if weights is None:
        return _AS_IT_IS
    others = weights.get("*")
    plain = weights.get("identity", others)
    best, best_weight = None, 0
    for coding in CODINGS:
        weight = weights.get(coding, others)
        if weight is not None and weight > best_weight:
            best, best_weight = coding, weight
    if "identity" in weights and weights["identity"] > best_weight:
        return _AS_IT_IS
    return Choice(best, is_must=plain == 0)


def _weights(accepted: str) -> dict[str, int] | None:
    """Return the thousandths that each coding is liked by, None for a malformed header."""
    weights: dict[str, int] = {}
    place = 0
    while place < len(accepted):
        element = _ELEMENT.match(accepted, place)
        if element is None:
            return None
        place = element.end()
        if element[1] is not None:
            coding = element[1].lower()
            # Source: RFC 9110 8.4.1.3.
            weights["gzip" if coding == "x-gzip" else coding] = _thousandths(element[2])
    return weights


def _thousandths(weight: str | None) -> int:
    """Return a weight of at most three decimals as a whole number."""
    if weight is None or weight[0] == "1":
        return 1000
    return int(weight[2:].ljust(3, "0"))
