"""Lists and the balance of a split route: one answer of what both sides have.

    starting_after=X   the side that made X goes on behind it; the other one is asked for what it made before
    ending_before=X    the side that made X goes back from it; the other one is asked for what it made after

`created` says what is before and after (`engine/rollout/merging.py`), as a filter of the dialect. This server
is told in the ASGI scope to begin with the oldest of it. The legacy API cannot be told, so it is asked for
its newest object that is not after X, and goes back from there.

If a side fails, the answer is an error. It is never a part of what there is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import msgspec
from msgspec import UNSET
from starlette.types import Message, Receive, Scope, Send

from fastpay import limits
from fastpay.api import answers
from fastpay.api.context import Reply, Services
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.legacy_reads import NOT_FOR_PARTS, LegacyReads
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import OLDEST_FIRST, created_seconds
from fastpay.api.lookout import Lookout
from fastpay.api.routes import Contract, Endpoint
from fastpay.api.sending import respond
from fastpay.domain.identifiers import moment_of
from fastpay.domain.kinds import presentable
from fastpay.engine.rollout import merging
from fastpay.engine.rollout.choice import FASTPAY, LEGACY, Side, owner_of
from fastpay.engine.rollout.comparison import Shown
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.merging import Part, Window
from fastpay.engine.rollout.routes import Front
from fastpay.errors import FastpayError, InvalidRequest, LegacyFailed, LegacyUnmergeable, Overloaded

BALANCE = "/v1/balance"
# Cursors say where a page begins, and no more: they do not make a list one side's.
CURSORS = frozenset(("starting_after", "ending_before"))
# What no other API of the dialect has.
OURS = ("/v1/ledger/", "/v1/processors/", "/v1/attempts", "/v1/request_logs", "/v1/settlements")
ONLY_OURS = "only fastpay has these"
# It is always asked for with its setup intent.
_OF_ONE_INTENT = "/v1/setup_attempts"
_FOLLOWS = b"after_sequence"
_STREAM = "text/event-stream"
# What says how a body is sent. A merged answer is in no coding, since its length would tell of the secrets of
# the legacy API, which may be written otherwise than this server's (`api/encodings.py`).
_OF_BODIES = frozenset(
    (
        b"content-type",
        b"content-length",
        b"request-id",
        b"cache-control",
        b"vary",
        b"etag",
        b"content-encoding",
    )
)
_Served = Callable[[Scope, Receive, Send], Awaitable[None]]


def why_alone(path: str, contract: Contract) -> str | None:
    """Return why one side alone answers a GET, None if the answers of both can be merged."""
    reasons = {
        ONLY_OURS: path.startswith(OURS),
        "what it shows is of one object, on its side": "{" in path or path == _OF_ONE_INTENT,
        "a search has no order that both sides share": contract.answer == "search_result",
        "it is no list": contract.answer == "object" and path != BALANCE,
        "it cannot be asked for by time": not issubclass(contract.params, CreatedListParams)
        and path != BALANCE,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)


class _Cursor(NamedTuple):
    """The object that a page begins at."""

    name: str
    identifier: str
    side: Side
    created: int

    @property
    def is_backward(self) -> bool:
        return self.name == "ending_before"


class _Asked(NamedTuple):
    """A page of a list, as a client asks for it."""

    scope: Scope
    receive: Receive
    filters: Sequence[tuple[str, str]]
    limit: int
    window: Window
    cursor: _Cursor | None

    @property
    def is_backward(self) -> bool:
        return self.cursor is not None and self.cursor.is_backward


class BothSides:
    """Answers the GETs of a path of which both sides have a part.

    `params` is None for the balance. Sends nothing if it raises.
    """

    def __init__(
        self, services: Services, front: Front, served: _Served, params: type[CreatedListParams] | None
    ) -> None:
        self._lookout = Lookout(services, front)
        self._merges = front.merges
        self._served = served
        self._params = params
        self._reads = LegacyReads(services, front)
        self._in_progress = 0

    def fits(self, scope: Scope, headers: Mapping[str, str]) -> bool:
        """Tell whether both sides can answer: only this server numbers its events, and streams them."""
        return _FOLLOWS not in scope["query_string"] and _STREAM not in headers.get("accept", "")

    async def __call__(self, key: RouteKey, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises: FastpayError, ClientLeft."""
        begun_ns = self._merges.now_ns()
        try:
            own, body = await self._answer(scope, receive)
        except FastpayError as error:
            self._merges.ended(key, begun_ns, error)
            raise
        self._merges.ended(key, begun_ns, own.status)
        fields = tuple(field for field in own.fields if field[0] not in _OF_BODIES)
        request_id = dict(own.fields).get(b"request-id", b"").decode()
        content_type = dict(own.fields).get(b"content-type", b"application/json")
        reply = Reply(status=own.status, body=body, content_type=content_type)
        await respond(send, reply, fields, request_id, is_head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> tuple["_Own", bytes]:
        """Return the answer of both sides. Raises: FastpayError, ClientLeft."""
        if self._in_progress >= limits.merged_requests_max:
            raise Overloaded("Too many answers of both sides are put together.")
        self._in_progress += 1
        try:
            return await (self._add(scope, receive) if self._params is None else self._merge(scope, receive))
        finally:
            self._in_progress -= 1

    async def _add(self, scope: Scope, receive: Receive) -> tuple["_Own", bytes]:
        query: bytes = scope["query_string"]
        own, legacy = await self._ask_both(
            self._ask_here(scope, query), self._ask_there(self._reads.list(scope, query, receive))
        )
        if legacy is None:
            return own, own.body
        return own, answers.encode(merging.add_balances(own.body, legacy))

    async def _merge(self, scope: Scope, receive: Receive) -> tuple["_Own", bytes]:
        assert self._params is not None
        params = decode_query(self._params, scope["query_string"])
        if params.starting_after is not UNSET and params.ending_before is not UNSET:
            # It refuses this, and the legacy API is not asked.
            own = await self._ask_here(scope, scope["query_string"])
            return own, own.body
        asked = _Asked(
            scope,
            receive,
            _filters(scope["query_string"]),
            params.limit,
            Window()
            if isinstance(params.created, msgspec.UnsetType)
            else Window(*created_seconds(params.created)),
            await self._cursor(params, scope, receive),
        )
        own, legacy = await self._ask_both(self._own_page(asked), self._legacy_page(asked))
        if legacy is None:
            return own, own.body
        here = merging.read_own_list(own.body)
        page = merging.merge(here, legacy, limit=asked.limit, backward=asked.is_backward)
        rendered = render_list(scope["path"], [item.body for item in page.items], page.has_more)
        return own, answers.encode(rendered)

    async def _cursor(self, params: CreatedListParams, scope: Scope, receive: Receive) -> _Cursor | None:
        """Return the cursor of a page. Raises: InvalidRequest if the legacy API does not have its object."""
        for name in sorted(CURSORS):
            identifier = getattr(params, name)
            if isinstance(identifier, msgspec.UnsetType):
                continue
            if owner_of(identifier) == FASTPAY:
                # If it does not exist, this server's part is an error that says so.
                return _Cursor(name, identifier, FASTPAY, moment_of(identifier) // 1000)
            shown = await self._reads.retrieve(scope, identifier, receive)
            if shown.status == 404:
                message = f"No such object: '{presentable(identifier)}'"
                raise InvalidRequest(message, code="resource_missing", param=name)
            return _Cursor(name, identifier, LEGACY, merging.read_created(_body_of(shown)))
        return None

    async def _own_page(self, asked: _Asked) -> "_Own":
        return await self._ask_here(asked.scope, _query_for(FASTPAY, asked), oldest_first=asked.is_backward)

    async def _legacy_page(self, asked: _Asked) -> Part:
        cursor = asked.cursor
        if cursor is None or cursor.side == LEGACY:
            return await self._list_there(asked, _query_for(LEGACY, asked), Window())
        edge = merging.beside(LEGACY, cursor.created, backward=cursor.is_backward)
        if not cursor.is_backward:
            return await self._list_there(asked, _query_for(LEGACY, asked), edge)
        before = Window(until=edge.since)
        nearest = await self._list_there(asked, _query(asked, before, 1), before)
        if not nearest.items:
            return await self._walk_back(asked, edge)
        begin = (cursor.name, nearest.items[0].identifier)
        return await self._list_there(
            asked, _query(asked, asked.window.within(edge), asked.limit, begin), edge
        )

    async def _walk_back(self, asked: _Asked, edge: Window) -> Part:
        """Return the oldest objects of the legacy API, from its newest on. Raises: LegacyUnmergeable."""
        oldest: list[merging.Item] = []
        window, has_more, begin = asked.window.within(edge), False, list[tuple[str, str]]()
        for _ in range(limits.merged_pages_max):
            query = _query(asked, window, limits.page_size_max, *begin)
            part = await self._list_there(asked, query, edge)
            oldest += part.items
            has_more = has_more or len(oldest) > asked.limit
            oldest = oldest[-asked.limit :]
            if not part.has_more:
                return Part(oldest, has_more)
            begin = [("starting_after", oldest[-1].identifier)]
        raise LegacyUnmergeable("The older API has too many objects that are newer than the cursor.")

    async def _list_there(self, asked: _Asked, query: bytes, window: Window) -> Part:
        shown = await self._reads.list(asked.scope, query, asked.receive)
        self._lookout.saw_part(f"GET {asked.scope['path']}", asked.scope, shown)
        return merging.read_list(_body_of(shown), window)

    async def _ask_there(self, asking: Awaitable[Shown]) -> bytes:
        return _body_of(await asking)

    async def _ask_here(self, scope: Scope, query: bytes, *, oldest_first: bool = False) -> "_Own":
        """Return this server's own answer."""
        own = _Own()
        fields = [field for field in scope["headers"] if field[0] not in NOT_FOR_PARTS]
        changed: MutableMapping[str, Any] = {
            **scope,
            "method": "GET",
            "headers": fields,
            "query_string": query,
            OLDEST_FIRST: oldest_first,
        }
        await self._served(changed, _never, own.send)
        return own

    async def _ask_both(self, here: Awaitable["_Own"], there: Awaitable[Any]) -> tuple["_Own", Any]:
        """Return the answers of both; this server's alone if it is an error. Raises: FastpayError."""
        asking = asyncio.ensure_future(there)
        try:
            own = await here
            if own.status != 200:
                return own, None
            return own, await asking
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError, FastpayError):
                await asking


def both_sides(
    services: Services, front: Front, path: str, served: _Served, endpoint: Endpoint | None
) -> BothSides | None:
    """Return what answers the GETs of a path from both sides, None if one side alone has to."""
    if endpoint is None or why_alone(path, endpoint.contract) is not None:
        return None
    params = endpoint.contract.params
    return BothSides(services, front, served, params if issubclass(params, CreatedListParams) else None)


class _Own:
    """An answer of this server. It is as long as a page may be."""

    def __init__(self) -> None:
        self.status = 500
        self.fields: Sequence[tuple[bytes, bytes]] = ()
        self.body = b""

    async def send(self, message: Message) -> None:
        """Satisfy ASGI's `send`."""
        if message["type"] == "http.response.start":
            self.status, self.fields = message["status"], message["headers"]
        else:
            self.body += message.get("body", b"")


def _query_for(side: Side, asked: _Asked) -> bytes:
    """Return the query for a side's part of a page, if the cursor or `created` says where it begins."""
    cursor = asked.cursor
    if cursor is None:
        return _query(asked, asked.window, asked.limit)
    if cursor.side == side:
        return _query(asked, asked.window, asked.limit, (cursor.name, cursor.identifier))
    window = merging.beside(side, cursor.created, backward=cursor.is_backward)
    return _query(asked, asked.window.within(window), asked.limit)


def _query(asked: _Asked, window: Window, limit: int, *more: tuple[str, str]) -> bytes:
    pairs = [*asked.filters, ("limit", str(limit)), *more]
    if window.since is not None:
        pairs.append(("created[gte]", str(window.since)))
    if window.until is not None:
        pairs.append(("created[lt]", str(window.until)))
    return urlencode(pairs).encode()


def _filters(query: bytes) -> list[tuple[str, str]]:
    """Return the parameters that do not say which page it is."""
    pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True, max_num_fields=limits.form_fields_max)
    return [
        (name, value)
        for name, value in pairs
        if name != "limit" and name not in CURSORS and name.partition("[")[0] != "created"
    ]


def _body_of(shown: Shown) -> bytes:
    """Return the body of an answer. Raises: LegacyFailed if it is an error."""
    if shown.status != 200:
        raise LegacyFailed(f"The older API has answered its part with {shown.status}, so nothing is shown.")
    return shown.body


async def _never() -> Message:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("nobody resolves it")
