"""Entity tags and conditional requests.

The tag of an answer is the version of its object and a digest of its bytes. The digest covers everything else
that the bytes depend on: what is expanded, who asks, which release renders. It is no cryptographic one, which
takes ten times as long: whoever makes two texts of one digest gets a client to show the older of them, in a
field that they may write anyway.

Source: RFC 9110 8.8.3, 13.1.2 and 15.4.5.
"""

import re

import xxhash

from fastpay.api.context import Reply
from fastpay.api.encodings import VARY, is_encodable

CACHE_CONTROL = b"private, no-store"

_TAG = re.compile(r'[ \t]*(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")[ \t]*(?:,|\Z)')


def tag(version: int, body: bytes) -> bytes:
    """Return the strong tag of an answer that shows this version of an object."""
    return f'"{version}-{xxhash.xxh3_64_hexdigest(body)}"'.encode()


def has_already(if_none_match: str, etag: bytes) -> bool:
    """Tell whether an If-None-Match header contains this tag. A malformed header contains none."""
    if if_none_match.strip(" \t") == "*":
        return True
    wanted = etag.decode("latin-1").removeprefix("W/")
    position = 0
    tags = []
    while position < len(if_none_match):
        match = _TAG.match(if_none_match, position)
        if match is None:
            return False
        tags.append(match[1])
        position = match.end()
    return wanted in tags


def conditional(reply: Reply, if_none_match: str | None) -> Reply:
    """Return the reply with its tag, or 304 Not Modified if the client has it."""
    if reply.etag is None:
        return reply
    headers = (*reply.headers, (b"etag", reply.etag))
    if if_none_match is None or not has_already(if_none_match, reply.etag):
        return Reply(body=reply.body, content_type=reply.content_type, headers=headers, encoded=reply.encoded)
    if is_encodable(reply.body):
        headers = (*headers, VARY)
    return Reply(status=304, body=b"", headers=headers)
