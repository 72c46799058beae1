"""The pipeline that every request runs through: from ASGI to a call, and from a reply back to ASGI.

request identifier, key, body, parameters, command, fingerprint, commit, answer: in this order, so that what
is wrong is said as early and as cheaply as it can be known.
"""

import logging
from collections.abc import Mapping
from typing import Protocol

from starlette.types import Receive, Scope, Send

from fastpay.api.answers import failure
from fastpay.api.authentication import authenticate
from fastpay.api.context import Call, Reply, Services
from fastpay.errors import (
    BodyTooLarge,
    FastpayError,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    UnknownRoute,
)

_log = logging.getLogger(__name__)

_NO_BODY = frozenset(("GET", "HEAD"))
_VERSION_CHARS_MAX = 64
_LENGTH_DIGITS_MAX = 18
_PATH_CHARS_SHOWN = 200
_SINGLE_HEADERS = frozenset(("authorization", "content-length", "content-type", "idempotency-key"))


class Endpoint(Protocol):
    """What answers a method on a path."""

    @property
    def is_public(self) -> bool:
        """Whether a publishable key may come this far; the endpoint then checks what protects the object."""

    async def answer(self, call: Call) -> Reply:
        """Answer. Raises: FastpayError."""


class ClientGone(Exception):
    """The client went away before its request was read: there is nobody to answer."""


class Resource:
    """One path as an ASGI application: picks the endpoint by method and never lets an exception out."""

    def __init__(self, services: Services, endpoints: Mapping[str, Endpoint]) -> None:
        self._services = services
        self._endpoints = endpoints
        self._allow = ", ".join(sorted(endpoints)).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = self._services.identifiers.request_id()
        headers: Mapping[str, str] = {}
        try:
            headers = headers_of(scope)
            reply = await self._answer(scope, receive, headers, request_id)
        except ClientGone:
            return
        except FastpayError as error:
            reply = failure(error, headers)
        except Exception as error:  # noqa: BLE001
            # Whatever it was, the client gets an answer, and the operator the trace.
            _log.exception("request_failed", extra={"request_id": request_id})
            reply = failure(error, headers)
        await respond(send, reply, headers=headers, request_id=request_id)

    async def _answer(
        self, scope: Scope, receive: Receive, headers: Mapping[str, str], request_id: str
    ) -> Reply:
        method: str = scope["method"]
        endpoint = self._endpoints.get(method)
        if endpoint is None:
            error = MethodNotAllowed(f"This path does not answer to {method[:20]}.")
            return failure(error, headers, more=((b"allow", self._allow),))
        services = self._services
        credentials = await authenticate(services.keys, headers.get("authorization"))
        if credentials.kind == "publishable" and not endpoint.is_public:
            raise Forbidden("This needs a secret key; the key given is a publishable one.")
        body = b""
        if method not in _NO_BODY:
            body = await _read_body(receive, headers, services.settings.body_bytes_max)
        call = Call(
            services=services,
            credentials=credentials,
            request_id=request_id,
            method=method,
            path=scope["path"],
            arguments=scope.get("path_params", {}),
            headers=headers,
            query=scope["query_string"],
            body=body,
        )
        return await endpoint.answer(call)


class UnknownPath:
    """What answers where nothing is served."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say so."""
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        error = UnknownRoute(f"Nothing is served at {scope['method'][:20]} {_shown(scope['path'])}.")
        reply = failure(error, headers)
        await respond(send, reply, headers=headers, request_id=self._services.identifiers.request_id())


async def respond(send: Send, reply: Reply, *, headers: Mapping[str, str], request_id: str) -> None:
    """Send a reply with the headers that every answer has."""
    out = [
        (b"content-type", reply.content_type),
        (b"content-length", str(len(reply.body)).encode()),
        (b"request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        *reply.headers,
    ]
    version = headers.get("stripe-version")
    if (
        version is not None
        and len(version) <= _VERSION_CHARS_MAX
        and version.isascii()
        and version.isprintable()
    ):
        out.append((b"stripe-version", version.encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": out})
    await send({"type": "http.response.body", "body": reply.body})


def headers_of(scope: Scope) -> dict[str, str]:
    """Return the headers of a request by their names in lower case.

    Raises: InvalidRequest where one stands twice that two readers may take differently.
    """
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1")
        if key in headers and key in _SINGLE_HEADERS:
            raise InvalidRequest(f"The header {key} was sent twice.")
        headers[key] = value.decode("latin-1")
    return headers


async def _read_body(receive: Receive, headers: Mapping[str, str], body_bytes_max: int) -> bytes:
    """Read a body in whole. Raises: BodyTooLarge as soon as it is known to be; ClientGone."""
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > _LENGTH_DIGITS_MAX or int(length) > body_bytes_max):
        raise _too_large(body_bytes_max)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk: bytes = message.get("body", b"")
        size += len(chunk)
        if size > body_bytes_max:
            raise _too_large(body_bytes_max)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunk if len(chunks) == 1 else b"".join(chunks)


def _shown(path: str) -> str:
    return path[:_PATH_CHARS_SHOWN].encode("utf-8", "replace").decode()


def _too_large(body_bytes_max: int) -> BodyTooLarge:
    return BodyTooLarge(f"The body is larger than the {body_bytes_max} bytes that are allowed.")
