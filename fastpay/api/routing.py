"""Sends each request on a path that is served here to the side that is to answer it.

Only in front of a legacy API; otherwise a request does not come through here. Reads by identifier that the
shortcut answers from the cache are of objects of this side. A side is chosen once: whatever happens then, the
other one never gets the request.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from starlette.types import Message, Receive, Scope, Send

from fastpay.api import references
from fastpay.api.authentication import authenticate
from fastpay.api.bodies import ClientGone, read_body
from fastpay.api.context import Services
from fastpay.api.endpoints import ServedPath
from fastpay.api.idempotency_keys import parse_idempotency_key
from fastpay.api.legacy import PassThrough
from fastpay.api.lookout import Lookout
from fastpay.api.merging import CURSORS, OURS, BothSides
from fastpay.api.request_headers import read_headers
from fastpay.api.shadowing import Candidate, Recorder, Shadow, ShadowRequest
from fastpay.engine.ports import Credentials
from fastpay.engine.rollout.choice import BOTH, FASTPAY, LEGACY, RouteState, Side, choose, owner_of_all
from fastpay.engine.rollout.comparison import Shown
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.money import MOVING
from fastpay.engine.rollout.ports import ClientLeft
from fastpay.engine.rollout.routes import Front
from fastpay.engine.write.idempotency import key_digest
from fastpay.errors import FastpayError, InvalidRequest, Unauthenticated

_CUSTOMERS = "/v1/customers"
_DRAWN_BYTES = 16


class Answering(NamedTuple):
    """What answers requests for a path here.

    | field       | answers                                                                           |
    |-------------|-----------------------------------------------------------------------------------|
    | `served`    | what is this server's                                                             |
    | `candidate` | as `served` does, for nobody: on a route in `shadow`                              |
    | `both`      | what names no object on a split route, of both sides; None if they are not merged |
    """

    served: ServedPath
    candidate: Candidate
    both: BothSides | None


class RoutedPath:
    """A path that both sides may serve, as an ASGI application. `template` has its placeholders."""

    def __init__(
        self,
        services: Services,
        template: str,
        answering: Answering,
        *,
        front: Front,
        pass_through: PassThrough,
        shadow: Shadow,
        body_factor: int,
    ) -> None:
        self._services = services
        self._template = template
        self._served, self._candidate, self._both = answering
        self._is_ours = template.startswith(OURS)
        self._routes = front.routes
        self._pass_through = pass_through
        self._shadow = shadow
        self._guardrails, self._money = front.guardrails, front.money
        self._lookout = Lookout(services, front)
        self._body_bytes_max = services.settings.body_bytes_max * body_factor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, from here or from the legacy API."""
        try:
            body: bytes | None = None
            headers = read_headers(scope)
            if scope["method"] == "POST":
                body = await read_body(receive, headers, self._body_bytes_max)
                receive = _again(body, receive)
            route = f"{'GET' if scope['method'] == 'HEAD' else scope['method']} {self._template}"
            state = self._routes.state_of(route)
            if body is None and state.state == "split" and await self._is_of_both(scope, headers):
                assert self._both is not None
                send = _marked(send, BOTH)
                await self._both(RouteKey(state.change, route), scope, receive, send)
                return
            named = self._named(scope, headers, body)
            owner = owner_of_all(named)
            if owner == LEGACY and self._services.imported:
                owner = await self._owner_of_imported(scope, headers, named)
            key = RouteKey(state.change, route)
            # Without a key to be bound, and if nothing depends on whose request it is, there is no wait.
            side = self._side_of_read(state, owner) if body is None else None
            side = side or await self._choose(scope, key, headers, body, state, owner)
        except (ClientGone, ClientLeft):
            return
        except FastpayError as error:
            await self._pass_through.refuse(scope, send, error)
            return
        recorder = None
        watched = self._lookout.record(route, send) if side == LEGACY else None
        send = send if watched is None else watched.send
        # Going back would help no read that both sides answer: what names an object stays with its side.
        if state.state == "split" and (body is not None or self._both is None):
            send = self._watched(send, key, side)
            if body is not None and self._template in MOVING:
                recorder = Recorder(send, self._guardrails.now_ns)
                send = recorder.send
        if side == LEGACY and state.state == "shadow":
            request = ShadowRequest(scope, key, self._candidate, named, body)
            await self._shadow(request, receive, send)
        elif side == LEGACY:
            await self._pass_through(scope, receive, send)
        else:
            await self._served(scope, receive, _marked(send, FASTPAY))
        if watched is not None:
            self._lookout.saw(route, scope, headers, watched)
        if recorder is not None:
            await self._note_money(scope, headers, key, side, recorder)

    async def _note_money(
        self, scope: Scope, headers: Mapping[str, str], key: RouteKey, side: Side, recorder: Recorder
    ) -> None:
        """Tell what an answer that was sent says of money."""
        shown = recorder.shown()
        if not isinstance(shown, Shown) or recorder.is_replay:
            return
        credentials = None
        with suppress(FastpayError):
            credentials = None if side == LEGACY else await self._find_client(scope, headers)
        self._money.answered(key, side, shown, None if credentials is None else credentials.scope)

    async def _is_of_both(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Tell whether a read is of what both sides have, and of a client that both may know."""
        if self._both is None or not self._both.fits(scope, headers):
            return False
        if references.named_in(scope["query_string"], b"", "", besides=CURSORS):
            return False
        return await self._find_client(scope, headers) is not None

    def _named(self, scope: Scope, headers: Mapping[str, str], body: bytes | None) -> list[str]:
        """Return the identifiers that decide where a request belongs: those of its path, else all others."""
        named = [value for value in scope["path_params"].values() if references.is_reference(value)]
        content_type = headers.get("content-type", "")
        return named or references.named_in(scope["query_string"], body or b"", content_type)

    async def _owner_of_imported(
        self, scope: Scope, headers: Mapping[str, str], named: Sequence[str]
    ) -> Side | None:
        """Return the side of the objects that a request names; what was imported is of this side.

        A tenant that has imported waits for the database: the older API must not get what is about an object
        that lives here. Raises: FastpayError.
        """
        credentials, imported = await self._find_client(scope, headers), self._services.imported
        if credentials is None or not imported:
            return LEGACY
        ours = await imported.ours_of(credentials.scope, named)
        return owner_of_all(ours.get(one, one) for one in named)

    def _side_of_read(self, state: RouteState, owner: Side | None) -> Side | None:
        """Return the side that answers whoever asks; None if that depends on who it is."""
        if owner is None and state.state != "split":
            return choose(state, None)
        return owner

    async def _choose(
        self,
        scope: Scope,
        route: RouteKey,
        headers: Mapping[str, str],
        body: bytes | None,
        state: RouteState,
        owner: Side | None,
    ) -> Side:
        """Return the side. Raises: FastpayError, such as DatabaseUnavailable where a key must be bound.

        `owner` is the side of the objects that the request names, None if it names none.
        """
        key = None if body is None else _key_of(headers)
        credentials, is_split = None, owner is None and state.state == "split"
        if key is not None or (is_split and (body is not None or self._is_ours)):
            credentials = await self._find_client(scope, headers)
        side = owner
        if is_split and self._is_ours and credentials is not None:
            side = FASTPAY
        elif side is None:
            subject = None
            if credentials is not None and body is not None:
                subject = self._subject(credentials, key, body, headers.get("content-type", ""))
            side = choose(state, subject)
            if state.state == "split" and subject is not None and self._template == _CUSTOMERS:
                self._guardrails.drawn(route, side, state.percent)
        if key is None or credentials is None:
            return side
        digest = key_digest(credentials.scope, key, is_publishable=credentials.kind == "publishable")
        return await self._routes.bind(credentials.scope, digest, side)

    def _watched(self, send: Send, key: RouteKey, side: Side) -> Send:
        """Return a `send` that tells the guardrails of an answer that is sent in full."""
        guardrails, begun_ns, status = self._guardrails, self._guardrails.now_ns(), 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                guardrails.answered(key, side, status, begun_ns)

        return watch

    async def _find_client(self, scope: Scope, headers: Mapping[str, str]) -> Credentials | None:
        """Return whose request it is, None if only the legacy API may know. Raises: FastpayError."""
        try:
            return await authenticate(self._services.keys, headers.get("authorization"), scope.get("client"))
        except Unauthenticated:
            return None

    def _subject(self, credentials: Credentials, key: str | None, body: bytes, content_type: str) -> str:
        """Return whom the choice sticks to, for a request that names no object.

        Later requests of a customer name it, and go where it was made. So a new customer is drawn, by what
        another attempt has too; everything else sticks to the tenant.
        """
        tenant = f"{credentials.scope.tenant_id} {credentials.scope.livemode}"
        if self._template != _CUSTOMERS:
            return tenant
        email = references.email_in(body, content_type)
        drawn = email or key or self._services.clock.random_bytes(_DRAWN_BYTES).hex()
        return f"{tenant} {drawn}"


def _key_of(headers: Mapping[str, str]) -> str | None:
    """Return the idempotency key, None without a valid one: a side that takes others keeps them by itself."""
    try:
        return parse_idempotency_key(headers.get("idempotency-key"))
    except InvalidRequest:
        return None


def _again(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with a body that was read already."""
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


def _marked(send: Send, who: str) -> Send:
    """Return a `send` that says who has answered."""
    served_by = (b"fastpay-served-by", who.encode())

    async def mark(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], served_by]
        await send(message)

    return mark
