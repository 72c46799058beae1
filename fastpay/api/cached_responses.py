"""Answers that are kept as they go out: rendered once for each version, and encoded once for each coding."""

from fastpay._native.cache import Cache, Entry, Rendition
from fastpay.api.encodings import CODINGS, coding_for, is_encodable, weakened
from fastpay.api.etags import CACHE_CONTROL, tag
from fastpay.api.rendering import render_bytes
from fastpay.domain.plan import Versioned


def make_rendition(path: str, versioned: Versioned, livemode: bool) -> Rendition:
    """Return the answer that shows an object and nothing else, with all of its head but what belongs to one
    request.

    `path` is what stands before the identifier.
    """
    body = render_bytes(versioned.object, livemode)
    etag = tag(versioned.version, body)
    common = b"cache-control: %b\r\n" % CACHE_CONTROL
    varies = is_encodable(body)
    if varies:
        common += b"vary: accept-encoding\r\n"
    common += b"etag: %b\r\n" % etag
    return Rendition(path, _head(body, common), common, body, etag, is_encodable=varies)


def form_of(cache: Cache, entry: Entry | None, rendition: Rendition, coding: str) -> Rendition:
    """Return an answer in a coding; what is made for it stays with the entry that holds the answer."""
    form = rendition.encoded.get(coding)
    if form is None:
        form = _make_form(rendition, coding)
        if entry is not None:
            cache.encode(entry, rendition, coding, form)
    return form


def form_for(cache: Cache, entry: Entry | None, rendition: Rendition, accepted: str) -> Rendition:
    """Return an answer as a client wants it, which accepts these codings; the same one where it stays."""
    coding = coding_for(len(rendition.body), accepted) if rendition.is_encodable else None
    return rendition if coding is None else form_of(cache, entry, rendition, coding)


def _make_form(rendition: Rendition, coding: str) -> Rendition:
    body = CODINGS[coding](rendition.body)
    etag = weakened(rendition.etag)
    common = b"cache-control: %b\r\nvary: accept-encoding\r\netag: %b\r\n" % (CACHE_CONTROL, etag)
    common += b"content-encoding: %b\r\n" % coding.encode()
    return Rendition(rendition.path, _head(body, common), common, body, etag, is_encodable=True)


def _head(body: bytes, common: bytes) -> bytes:
    return b"content-type: application/json\r\ncontent-length: %d\r\n%b" % (len(body), common)
