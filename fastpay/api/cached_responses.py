"""Cached responses: rendered once a version, and encoded once a coding."""

from fastpay._native.cache import Cache, CachedResponse, Entry
from fastpay.api.encodings import CODINGS, coding_for, is_encodable, weakened
from fastpay.api.etags import CACHE_CONTROL, tag
from fastpay.api.resource import Resource
from fastpay.domain.plan import Versioned

# To be filled with a tag; caches must know if the answer depends on Accept-Encoding.
_COMMON = b"cache-control: %b\r\netag: %%b\r\n" % CACHE_CONTROL
_VARYING = b"cache-control: %b\r\nvary: accept-encoding\r\netag: %%b\r\n" % CACHE_CONTROL
# To be filled with the length of the body and one of these.
_HEAD = b"content-type: application/json\r\ncontent-length: %d\r\n%b"


def make_response(resource: Resource, path: str, versioned: Versioned, livemode: bool) -> CachedResponse:
    """Return the answer that shows an object and nothing else, with every header that all requests share.

    `path` is what stands before the identifier.
    """
    return response_of(path, versioned.version, resource.render_bytes(versioned.object, livemode))


def response_of(path: str, version: int, body: bytes) -> CachedResponse:
    """Return the answer that shows this version of an object."""
    etag = tag(version, body)
    varies = is_encodable(body)
    common = (_VARYING if varies else _COMMON) % etag
    return CachedResponse(path, _HEAD % (len(body), common), common, body, etag, is_encodable=varies)


def form_of(cache: Cache, entry: Entry | None, response: CachedResponse, coding: str) -> CachedResponse:
    """Return a response in a coding, and cache it with the entry of the response."""
    form = response.encoded.get(coding)
    if form is None:
        form = _make_form(response, coding)
        if entry is not None:
            cache.encode(entry, response, coding, form)
    return form


def form_for(cache: Cache, entry: Entry | None, response: CachedResponse, accepted: str) -> CachedResponse:
    """Return a response in the coding that fits an Accept-Encoding header, or the response itself."""
    coding = coding_for(len(response.body), accepted) if response.is_encodable else None
    return response if coding is None else form_of(cache, entry, response, coding)


def _make_form(response: CachedResponse, coding: str) -> CachedResponse:
    body = CODINGS[coding](response.body)
    etag = weakened(response.etag)
    common = _VARYING % etag + b"content-encoding: %b\r\n" % coding.encode()
    return CachedResponse(response.path, _HEAD % (len(body), common), common, body, etag, is_encodable=True)
