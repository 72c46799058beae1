"""What anybody may read without a key: `/openapi.json`, the page about it at `/docs`, and one about errors.

Each is made on first asking, in a thread, in every coding that clients may ask for, and kept. The page and
its scripts come from the package. Its policy lets it load nothing from elsewhere.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from importlib import resources

import msgspec

from fastpay.api.context import Reply, Services
from fastpay.api.encodings import CODINGS
from fastpay.api.endpoints import PublicPath
from fastpay.api.etags import tag
from fastpay.api.openapi import codes_page, document
from fastpay.api.routes import Route

PATH = "/openapi.json"
_ASSETS = resources.files("fastpay.api.openapi") / "assets"
_FILES = {
    "/docs": ("index.html", b"text/html; charset=utf-8"),
    "/docs/page.css": ("page.css", b"text/css; charset=utf-8"),
    "/docs/page.js": ("page.js", b"text/javascript; charset=utf-8"),
    "/docs/swagger-ui.css": ("swagger-ui/swagger-ui.css", b"text/css; charset=utf-8"),
    "/docs/swagger-ui-bundle.js": ("swagger-ui/swagger-ui-bundle.js", b"text/javascript; charset=utf-8"),
}
_POLICY = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)
_VERSION = 1


def encode(routes: Sequence[Route], services: Services) -> bytes:
    """Return the document in JSON.

    It has white space, so that its examples of client secrets do not look like one: then it would not be
    compressed (`encodings.is_encodable`).
    """
    made = document.make(routes, services.resources)
    return msgspec.json.format(msgspec.json.encode(made), indent=0)


# All of them.
PATHS = (PATH, codes_page.PATH, *_FILES)


def paths(services: Services, routes: Sequence[Route]) -> Iterator[tuple[str, PublicPath]]:
    """Yield the paths, and what answers them."""
    yield PATH, _Kept(services, PATH, lambda: encode(routes, services), b"application/json")
    yield codes_page.PATH, _Kept(services, codes_page.PATH, codes_page.make, b"text/html; charset=utf-8")
    for path, (name, content_type) in _FILES.items():
        yield path, _Kept(services, path, (_ASSETS / name).read_bytes, content_type)


class _Kept(PublicPath):
    """Answers with bytes that never change."""

    def __init__(
        self, services: Services, template: str, make: Callable[[], bytes], content_type: bytes
    ) -> None:
        super().__init__(services, template)
        self._make = make
        self._content_type = content_type
        self._making = asyncio.Lock()
        self._kept: Reply | None = None

    async def read(self) -> Reply:
        """Return the answer. The first to ask has it made, and others wait for it."""
        async with self._making:
            if self._kept is None:
                self._kept = await asyncio.to_thread(self._made)
            return self._kept

    def _made(self) -> Reply:
        body = self._make()
        forms = {coding: code(body) for coding, code in CODINGS.items()}
        return Reply(
            body=body,
            content_type=self._content_type,
            headers=_HEADERS,
            etag=tag(_VERSION, body),
            encoded=forms.__getitem__,
        )
