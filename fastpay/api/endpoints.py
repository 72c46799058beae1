"""The pipeline that every request runs through: from ASGI to a call, and from a reply back to ASGI.

The order is: request identifier, method, key, body, signature, parameters, command, fingerprint, commit,
answer. A bad request is refused at the first step that can know it, and costs no more than that.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from starlette.types import Receive, Scope, Send

from fastpay import limits
from fastpay._native.headers import Headers
from fastpay._native.shortcut import Shortcut
from fastpay.api.answers import encode, failure
from fastpay.api.authentication import (
    SIGNATURE_HEADER,
    authenticate,
    check_access,
    check_signature,
    key_of,
)
from fastpay.api.bodies import ClientGone, begin_body, read_body, read_rest, whole_body
from fastpay.api.browsers import refuse_secret_key, take_key, without_telemetry
from fastpay.api.common_params import Params
from fastpay.api.context import Call, Reply, Services
from fastpay.api.deadlines import in_time
from fastpay.api.decoding import may_be_form
from fastpay.api.encodings import encoded
from fastpay.api.etags import conditional
from fastpay.api.idempotency_keys import presentable_key
from fastpay.api.instead import INSTEAD
from fastpay.api.older_identifiers import as_ours
from fastpay.api.request_headers import origin_of, read_headers
from fastpay.api.request_notes import NOTE, Note
from fastpay.api.routes import Endpoint, Policy
from fastpay.api.sending import body_of, head_of, respond_in_parts
from fastpay.api.timings import TIMING_HEADER, timed
from fastpay.api.versions import check_version, version_echo
from fastpay.domain.kinds import presentable
from fastpay.engine.ports import Credentials
from fastpay.engine.timing import Timing
from fastpay.errors import FastpayError, MethodNotAllowed, UnknownRoute
from fastpay.observability import telemetry, traces
from fastpay.observability.traces import Trace

_log = telemetry.Log("fastpay.api")

_NO_HEADERS = Headers(())
_PATH_CHARS_SHOWN = 200
_SAFE_METHODS = frozenset(("GET", "HEAD"))


class _Path:
    """One path as an ASGI application that raises nothing. `template` is the path with its placeholders."""

    def __init__(self, services: Services, template: str | None) -> None:
        self._services = services
        self._template = template
        self._notes = services.request_notes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id = self._services.identifiers.request_id()
        headers = _NO_HEADERS
        note = None if self._notes is None else self._notes.begin(scope)
        tracer, trace, begun_ns = traces.tracer(), None, 0
        if tracer is not None:
            begun_ns = tracer.now_ns()
        try:
            headers = read_headers(scope)
            if tracer is not None and headers.is_drawn(tracer.sampler, begun_ns):
                trace = tracer.begin(headers, begun_ns, is_drawn=True)
            reply = await self._reply(scope, receive, headers, request_id, trace)
        except ClientGone:
            return
        except FastpayError as error:
            headers = headers or origin_of(scope)
            reply = self._failure(error, headers, note, request_id)
        except Exception as error:  # noqa: BLE001  whatever it is, the client gets an answer
            _log.exception("request_failed", request_id=request_id)
            reply = self._failure(error, headers, note, request_id)
        status = reply.status
        if reply.etag is not None:
            reply = conditional(reply, headers.get("if-none-match"))
        reply = encoded(reply, headers.get("accept-encoding"))
        method: str = scope["method"]
        is_head = method == "HEAD"
        echoes = headers.plain_echoes(is_head or method == "GET")
        if echoes is None:
            echoes = _echoes(method, headers)
        if headers.is_special and "origin" in headers:
            echoes.extend(self._services.cors.headers(headers["origin"]))
        if note is not None:
            note.end(request_id, reply.status)
        if reply.stream is None:
            # `respond` would be one more coroutine for each request.
            await send(head_of(reply, echoes, request_id))
            await send(body_of(reply, is_head=is_head))
        # As `is_kept`, without a call for each request.
        if tracer is not None and (
            trace is not None or status >= 500 or tracer.now_ns() - begun_ns >= tracer.slow_ns
        ):
            tracer.answered(
                trace,
                scope,
                self._template,
                status=status,
                request_id=request_id,
                begun_ns=begun_ns,
                headers=headers,
            )
        if reply.stream is not None:
            await respond_in_parts(receive, send, reply.stream, head_of(reply, echoes, request_id), is_head)

    def _failure(
        self, error: Exception, headers: Mapping[str, str], note: Note | None, request_id: str
    ) -> Reply:
        url, public_url = _noted(note, error, request_id), self._services.settings.public_url
        return failure(error, headers, request_log_url=url, public_url=public_url)

    async def _reply(
        self, scope: Scope, receive: Receive, headers: Headers, request_id: str, trace: Trace | None
    ) -> Reply:
        raise NotImplementedError


class _Served(NamedTuple):
    """An endpoint, and what is the same for all its requests. With a publishable key anybody may send."""

    endpoint: Endpoint
    policy: Policy
    params: type[Params]
    body_bytes_max: int
    public_bytes_max: int

    @classmethod
    def of(cls, endpoint: Endpoint, services: Services) -> "_Served":
        """Return an endpoint as it is served."""
        policy, body_bytes_max = endpoint.policy, services.settings.body_bytes_max
        public_bytes_max = min(body_bytes_max, limits.publishable_body_bytes_max)
        return cls(
            endpoint, policy, endpoint.contract.params, body_bytes_max * policy.body_factor, public_bytes_max
        )


class ServedPath(_Path):
    """A path with endpoints: authenticates the request and calls the endpoint of its method."""

    def __init__(
        self,
        services: Services,
        template: str,
        endpoints: Mapping[str, Endpoint],
        *,
        shortcut: Shortcut | None = None,
    ) -> None:
        super().__init__(services, template)
        self._endpoints = {method: _Served.of(endpoint, services) for method, endpoint in endpoints.items()}
        self._shortcut = shortcut

    async def _reply(
        self, scope: Scope, receive: Receive, headers: Headers, request_id: str, trace: Trace | None
    ) -> Reply:
        method: str = "GET" if scope["method"] == "HEAD" else scope["method"]  # RFC 9110 9.3.2
        served = self._endpoints.get(method)
        if served is None:
            return _method_refused(scope["method"], _allowed(self._endpoints), headers, self._template)
        endpoint, policy, params, body_bytes_max, public_bytes_max = served
        services, is_special = self._services, headers.is_special
        timing = self._check_special(headers) if is_special else None
        query: bytes = scope["query_string"]
        # Only this list may hold the body, so that `Call.take_body` can free it.
        unread: list[bytes] = []
        token = headers.bearer_token()
        credentials = None if token is None else services.keys.known(token)
        if credentials is None:
            query, credentials = await self._authenticate(scope, receive, headers, unread, policy)
        note = None if self._notes is None else scope[NOTE].authenticated(credentials, params)
        is_publishable = credentials.kind == "publishable"
        if is_special or is_publishable:
            check_access(credentials, headers, is_public=policy.is_public)
        # The server counts the bytes by key, since one key may send from many addresses.
        scope["fastpay.payer"] = (credentials.scope, credentials.kind)
        body_bytes_max = public_bytes_max if is_publishable else body_bytes_max
        if method != "GET" and not unread:
            # Nearly every body comes whole, and `read_body` would be one more coroutine for each.
            message = await begin_body(receive, headers, body_bytes_max)
            unread.append(
                whole_body(message, body_bytes_max) or await read_rest(receive, message, body_bytes_max)
            )
        name = None
        if credentials.must_sign or (is_special and SIGNATURE_HEADER in headers):
            signed = unread or [await read_body(receive, headers, body_bytes_max)]
            name = check_signature(credentials, headers, scope, signed[0], services.clock.now_ms())
        if is_publishable:
            query = _remove_telemetry(query, unread, headers)
        elif method == "GET" and self._shortcut is not None:
            self._admit(self._shortcut, credentials, headers["authorization"])
        if note is not None:
            note.read(query, unread[0] if unread else b"")
        arguments = scope.get("path_params", {})
        if (older := services.imported) is not None and older.has(own := credentials.scope):
            arguments, query = await as_ours(older, own, headers, arguments, (query, unread))
        call = Call(
            services=services,
            credentials=credentials,
            request_id=request_id,
            method=method,
            path=scope["path"],
            arguments=arguments,
            headers=headers,
            asgi=scope,
            query=query,
            unread=unread,
            signed=name,
            trace=trace,
            timing=None if timing is None else self._authenticated(timing, credentials),
        )
        shares = services.shares if policy.is_counted else None
        if shares is not None and not shares.enter(credentials.scope):
            await shares.wait(credentials.scope)
        try:
            is_long = len(unread) > 0 and len(unread[0]) > limits.short_body_bytes
            answering = _in_turn(endpoint, call) if is_long else endpoint.answer(call)
            is_timed = policy.deadline != "own" and policy.is_timed(query)
            reply = await (in_time(answering) if is_timed else answering)
        finally:
            if shares is not None:
                shares.leave(credentials.scope)
        return reply if call.timing is None else timed(reply, call, call.timing)

    def _check_special(self, headers: Headers) -> Timing | None:
        """Check headers that few requests have; return the timing that one may ask for.

        Raises: InvalidRequest, Forbidden.
        """
        check_version(headers.get("stripe-version"))
        refuse_secret_key(headers)
        return Timing(self._services.clock.monotonic_ns()) if headers.get(TIMING_HEADER) == "1" else None

    async def _authenticate(
        self, scope: Scope, receive: Receive, headers: Headers, unread: list[bytes], policy: Policy
    ) -> tuple[bytes, Credentials]:
        """Return the query, and the credentials of a key that has to be looked up, or is no bearer token.

        The body is put into `unread`, if it was read. Raises: FastpayError, ClientGone.
        """
        query, authorization = scope["query_string"], headers.get("authorization")
        if authorization is None and policy.is_public:
            query, authorization = await _take_key(query, receive, headers, unread, method=scope["method"])
        return query, await authenticate(self._services.keys, authorization, scope.get("client"))

    def _authenticated(self, timing: Timing, credentials: Credentials) -> Timing | None:
        """End the first stage of a request's timing. Return None without a secret key, which gets none."""
        if credentials.kind != "secret":
            return None
        timing.end("auth", self._services.clock.monotonic_ns())
        return timing

    def _admit(self, shortcut: Shortcut, credentials: Credentials, authorization: str) -> None:
        """Let the shortcut answer later reads with this key, as long as the key is valid.

        Not for keys that must sign each request. Publishable keys, which need a client secret too, do not
        come here.
        """
        if credentials.must_sign:
            return
        until_ns = self._services.keys.believed_until_ns(key_of(authorization))
        partition = self._services.reader.partition(credentials.scope)
        shortcut.admit(authorization.encode("latin-1"), partition, until_ns, credentials)


class PublicPath(_Path):
    """A path that anybody may read, without a key. What is asked here is not logged."""

    def __init__(self, services: Services, template: str) -> None:
        super().__init__(services, template)
        self._notes = None

    async def read(self) -> Reply:
        """Return what is read. Raises: FastpayError."""
        raise NotImplementedError

    async def _reply(self, scope: Scope, receive: Receive, headers: Headers, *_: object) -> Reply:
        if scope["method"] not in _SAFE_METHODS:
            return _method_refused(scope["method"], ["GET", "HEAD"], headers)
        return await self.read()


class Health(PublicPath):
    """Answers whether the process is alive or, with `is_readiness`, whether it can serve requests.

    It answers at once from known state, without I/O.
    """

    def __init__(self, services: Services, template: str, *, is_readiness: bool) -> None:
        super().__init__(services, template)
        self._is_readiness = is_readiness

    async def read(self) -> Reply:
        """Return that it is alive, or ready. Raises: FastpayError."""
        if self._is_readiness:
            self._services.readiness.check()
        return Reply(body=encode({"status": "ok"}))


class UnknownPath(_Path):
    """Answers every path that is not served, and names the resources that are."""

    def __init__(self, services: Services, served: Iterable[str]) -> None:
        """`served` are the names below /v1, such as "charges"."""
        # No template: clients must not be able to create routes in traces.
        super().__init__(services, None)
        self._served = f"Served below /v1 are {', '.join(served)}. GET /openapi.json describes them."

    async def _reply(self, scope: Scope, *_: object) -> Reply:
        shown = presentable(scope["path"])[:_PATH_CHARS_SHOWN]
        raise UnknownRoute(f"Nothing is served at {scope['method'][:20]} {shown}. {self._served}")


def _noted(note: Note | None, error: Exception, request_id: str) -> str | None:
    """Note an error, and return the URL that its answer shows."""
    return None if note is None else note.failed(error, request_id)


async def _in_turn(endpoint: Endpoint, call: Call) -> Reply:
    """Wait for a turn, then answer a request with a long body. Raises: FastpayError."""
    until = asyncio.get_running_loop().time() + limits.queue_wait_ms_max / 1000
    async with call.services.long_requests.enter(call.scope, until=until, weight=len(call.unread[0])):
        return await endpoint.answer(call)


async def _take_key(
    query: bytes, receive: Receive, headers: Headers, unread: list[bytes], *, method: str
) -> tuple[bytes, str | None]:
    """Return the query, and the Authorization header that a publishable key in query or body stands for.

    The body is put into `unread`, if it was read. Raises: ClientGone, BodyTooLarge.
    """
    query, authorization = take_key(query)
    if authorization is None and method not in _SAFE_METHODS and may_be_form(headers.get("content-type")):
        # Nobody is known to have sent it yet, so it must be short.
        body, authorization = take_key(await read_body(receive, headers, limits.short_body_bytes))
        unread.append(body)
    return query, authorization


def _remove_telemetry(query: bytes, unread: list[bytes], headers: Mapping[str, str]) -> bytes:
    """Remove what libraries for browsers add to requests: from the body in `unread`; return the query."""
    if unread and may_be_form(headers.get("content-type")):
        unread.append(without_telemetry(unread.pop()))
    return without_telemetry(query)


def _echoes(method: str, headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Return the request headers that every answer repeats, if they are valid."""
    echoes = []
    version = headers.get("stripe-version")
    if version is not None and (echo := version_echo(version)) is not None:
        echoes.append(echo)
    key = headers.get("idempotency-key")
    if key is not None and method not in _SAFE_METHODS and presentable_key(key) is not None:
        echoes.append((b"idempotency-key", key.encode()))
    return echoes


def _allowed(endpoints: Mapping[str, object]) -> list[str]:
    return sorted({*endpoints, *(("HEAD",) if "GET" in endpoints else ())})


def _method_refused(
    method: str, allowed: list[str], headers: Mapping[str, str], template: str | None = None
) -> Reply:
    instead = INSTEAD.get((method, template or ""), "")
    error = MethodNotAllowed(f"This path does not answer to {method[:20]}. {instead}".rstrip())
    return failure(error, headers, more=((b"allow", ", ".join(allowed).encode()),))
