"""For clients: requests signed with the signing secret of an API key.

    headers["Fastpay-Signature"] = sign_request(secret, "POST", "/v1/refunds", body, idempotency_key=name)
    client = httpx.Client(base_url=..., auth=HttpxAuth(secret, api_key=key))

A signature is valid for 300 s either way. It covers method, path, query, body and the Idempotency-Key, and
no other header. Give every POST an Idempotency-Key: a repeated request with a key gets the first response,
and one without a key is accepted only once.

This file is also the whole of the package `fastpay-signing`, for clients who do not install the server. So it
imports nothing but the standard library, and httpx where it is there.
"""

import hmac
import time
from collections.abc import Generator
from hashlib import sha256
from typing import Any, Protocol

HEADER = "Fastpay-Signature"
KEY_HEADER = "Idempotency-Key"

# What the server reads: more than enough for every second of the next 30,000 years.
_TIMESTAMP_CHARS_MAX = 12


class Clock(Protocol):
    """Where the time of a signature comes from."""

    def now_ms(self) -> int:
        """Return the wall clock in milliseconds since 1970, UTC."""


class RequestSigner:
    """Signs requests with a secret, or with several during a rotation."""

    def __init__(self, *secrets: str, clock: Clock | None = None) -> None:
        """Raises: ValueError for no secret or an empty one."""
        if not secrets:
            raise ValueError("at least one secret is needed, and none may be empty")
        if not all(secrets):
            raise ValueError("a signing secret must not be empty")
        # Each has its key hashed already, and is copied for a signature.
        self._prepared = tuple(hmac.new(secret.encode(), digestmod=sha256) for secret in secrets)
        self._clock = clock

    def sign(
        self,
        method: str,
        url: str | bytes,
        body: str | bytes = b"",
        *,
        idempotency_key: str | bytes | None = None,
        timestamp: int | None = None,
    ) -> str:
        """Return the Fastpay-Signature of a request, now or at a time in seconds since 1970.

        `url` is the address, or only its path and query. It and the body must be given byte for byte as
        they are sent. `idempotency_key` is the value of that header, None without it. Raises: ValueError
        for characters that no address may contain, and for a time before 1970.
        """
        if timestamp is None:
            timestamp = int(time.time()) if self._clock is None else self._clock.now_ms() // 1000
        if not 0 <= timestamp < 10**_TIMESTAMP_CHARS_MAX:
            raise ValueError("a timestamp must be a number of seconds since 1970")
        content = body.encode() if isinstance(body, str) else body
        # A target may contain full stops too. Without any in the key, the text has only one interpretation.
        key = _field(idempotency_key).replace(b"%", b"%25").replace(b".", b"%2E")
        message = b"%d.%s.%s.%s.%s" % (
            *(timestamp, method.upper().encode(), _target(url), key),
            sha256(content).hexdigest().encode(),
        )
        return ",".join([f"t={timestamp}", *(f"v2={_digest(one, message)}" for one in self._prepared)])


def sign_request(
    secret: str,
    method: str,
    url: str | bytes,
    body: str | bytes = b"",
    *,
    idempotency_key: str | bytes | None = None,
    timestamp: int | None = None,
) -> str:
    """Return the Fastpay-Signature of one request: see `RequestSigner.sign`, which saves work for many."""
    signer = RequestSigner(secret)
    return signer.sign(method, url, body, idempotency_key=idempotency_key, timestamp=timestamp)


class RequestsAuth:
    """Signs the requests of a `requests.Session` as its `auth`, each attempt anew.

    The Stripe SDK accepts such a session: `stripe.RequestsClient(session=session)`.
    """

    def __init__(self, *secrets: str, clock: Clock | None = None) -> None:
        """Raises: ValueError for no secret or an empty one."""
        self._signer = RequestSigner(*secrets, clock=clock)

    def __call__(self, request: Any) -> Any:
        """Sign a prepared request. It has no type, because its library may not be installed."""
        body = request.body if request.body is not None else b""
        if not isinstance(body, str | bytes):
            raise TypeError("a streamed body cannot be signed; pass it in one piece")
        key = request.headers.get(KEY_HEADER)
        request.headers[HEADER] = self._signer.sign(
            request.method, request.path_url, body, idempotency_key=key
        )
        return request


try:
    import httpx
except ImportError:
    # httpx is optional; nothing else here needs it.
    pass
else:

    class HttpxAuth(httpx.Auth):
        """Signs the requests of an httpx client, each attempt anew; an API key, if given, is sent too."""

        requires_request_body = True

        def __init__(self, *secrets: str, api_key: str | None = None, clock: Clock | None = None) -> None:
            """Raises: ValueError for no secret or an empty one."""
            self._signer = RequestSigner(*secrets, clock=clock)
            self._api_key = api_key

        def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
            """Add the signature, and the API key if it is known, to the request."""
            if self._api_key is not None:
                request.headers["Authorization"] = f"Bearer {self._api_key}"
            # The raw value: httpx would have to guess the encoding.
            keys = [
                value for name, value in request.headers.raw if name.lower() == KEY_HEADER.encode().lower()
            ]
            request.headers[HEADER] = self._signer.sign(
                request.method,
                request.url.raw_path,
                request.content,
                idempotency_key=keys[0] if keys else None,
            )
            yield request


def _digest(prepared: hmac.HMAC, message: bytes) -> str:
    """Return the HMAC-SHA256 of a message in hexadecimal, by the hashed key of a secret."""
    copy = prepared.copy()
    copy.update(message)
    return copy.hexdigest()


def _field(value: str | bytes | None) -> bytes:
    """Return the value of a header as the server receives it, empty if it is not sent."""
    text = value.encode("latin-1") if isinstance(value, str) else value
    return (text or b"").strip(b" \t")


def _target(url: str | bytes) -> bytes:
    """Return path and query of an address, as written."""
    try:
        text = url.encode("ascii") if isinstance(url, str) else url
    except UnicodeEncodeError as error:
        raise ValueError(
            "the address must be ASCII as it is sent; percent-encode other characters"
        ) from error
    text = text.partition(b"#")[0]
    if text.startswith(b"/"):
        return text
    rest = text.partition(b"://")[2]
    start = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    target = rest[start:]
    return target if target.startswith(b"/") else b"/" + target
