"""Answers that can be asked for by condition: what tells one from another, and what a client has already.

The tag of an object's answer is its version and a digest of the bytes: what they depend on beside the version
(what is expanded, who asks, which release renders) is in the digest, and nothing can be forgotten.

Source: RFC 9110 8.8.3, 13.1.2 and 15.4.5.
"""

import hashlib
import re

from fastpay.api.context import Reply
from fastpay.api.encodings import VARY, is_encodable

CACHE_CONTROL = b"private, no-store"

_DIGEST_BYTES = 8
_TAG = re.compile(r'[ \t]*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|\Z)')


def tag(version: int, body: bytes) -> bytes:
    """Return the strong tag of an answer that shows this version of an object."""
    digest = hashlib.blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()
    return f'"{version}-{digest}"'.encode()


def has_already(if_none_match: str, etag: bytes) -> bool:
    """Tell whether a client that says this has the answer with this tag. Nonsense matches nothing."""
    if if_none_match.strip(" \t") == "*":
        return True
    wanted = etag.decode("latin-1").removeprefix("W/")
    place = 0
    tags = []
    while place < len(if_none_match):
        match = _TAG.match(if_none_match, place)
        if match is None:
            return False
        tags.append(match[1])
        place = match.end()
    return wanted in tags


def conditional(reply: Reply, if_none_match: str | None) -> Reply:
    """Return the reply with its tag, or only the news that the client has it."""
    if reply.etag is None:
        return reply
    headers = (*reply.headers, (b"etag", reply.etag))
    if if_none_match is None or not has_already(if_none_match, reply.etag):
        return Reply(body=reply.body, content_type=reply.content_type, headers=headers, encoded=reply.encoded)
    if is_encodable(reply.body):
        headers = (*headers, VARY)
    return Reply(status=304, body=b"", headers=headers)
