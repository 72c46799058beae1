"""Events as a stream of server-sent events, which a client resumes where it was.

An event's `id` is its number of the sequence, so `Last-Event-ID` is what `after_sequence` is for a page. Its
`data` is the event as a page shows it. If nothing comes for a while, a comment does, with the number that the
client has everything up to: changes that clients do not see have numbers as well.

Source: WHATWG HTML, 9.2 (server-sent events).
"""

from functools import partial

from fastpay import limits
from fastpay.api.authentication import authenticate
from fastpay.api.context import Call, Reply, Services
from fastpay.api.resources.events.shape import render_occurrences
from fastpay.domain import events
from fastpay.domain.identifiers import Scope
from fastpay.engine.event_ports import EventPage, Occurrence
from fastpay.engine.feeds import News, Piece
from fastpay.errors import FastpayError, InvalidRequest, Unauthenticated

STREAM_TYPE = "text/event-stream"
_LAST_EVENT_ID = "last-event-id"
_SEQUENCE_DIGITS_MAX = 15
# Proxies that collect answers before they pass them on know this header.
_UNBUFFERED = (b"x-accel-buffering", b"no")


def wants_stream(call: Call) -> bool:
    """Tell whether the client accepts a stream."""
    accepted = call.headers.get("accept", "")
    return STREAM_TYPE in accepted and any(
        part.partition(";")[0].strip() == STREAM_TYPE for part in accepted.lower().split(",")
    )


def last_event_id(call: Call) -> int | None:
    """Return the number up to which a client that comes back has everything. Raises: InvalidRequest."""
    value = call.headers.get(_LAST_EVENT_ID)
    if not value:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= _SEQUENCE_DIGITS_MAX):
        raise InvalidRequest("The header Last-Event-ID must be the id of an event of this stream: a number.")
    return int(value)


async def read_following(
    services: Services, scope: Scope, after: int, page: EventPage
) -> tuple[list[Occurrence], int, int]:
    """Return the events that follow a number, the number up to which there are no others, and the last one.

    At most `event_numbers_examined_max` numbers are looked at.
    """
    read = await services.events.list(scope, page)
    found, end = read.found[::-1], read.sequence
    through = max(after, min(page.below - 1, end))
    if len(found) > page.limit:
        found = found[: page.limit]
        through = found[-1].event.sequence
    return list(found), through, end


async def open_stream(call: Call, after: int | None, types: frozenset[str]) -> Reply:
    """Return the stream of the events above a number, or of those to come if it is None.

    Raises: RateLimited, Overloaded.
    """
    services, scope = call.services, call.scope
    if after is None:
        nothing = EventPage(limit=1, below=1, above=0, types=types)
        after = (await services.events.list(scope, nothing)).sequence
    stream = EventStream(call, after, types)
    return Reply(body=b"", content_type=STREAM_TYPE.encode(), headers=(_UNBUFFERED,), stream=stream)


class EventStream:
    """The stream of one client. Satisfies `Stream`."""

    def __init__(self, call: Call, after: int, types: frozenset[str]) -> None:
        services, scope = call.services, call.scope
        self._services = services
        self._scope = scope
        self._authorization = call.headers.get("authorization")
        # None for all of them: then everybody is sent the same bytes.
        self._types = None if types == events.TYPES else types
        read = partial(_read_news, services, scope)
        self._follower = services.feeds.follow(scope, after, read, self._types)
        self._checked_ns = services.clock.monotonic_ns()
        self._opening: bytes | None = b"retry: %d\nid: %d\n\n" % (limits.feed_reconnect_ms, after)

    def close(self) -> None:
        """Stop following."""
        self._services.feeds.leave(self._scope, self._follower)

    async def next(self) -> bytes | None:
        """Return what to send next, None at the end: the client may come back."""
        if self._opening is not None:
            # At once, so that the client knows that it is connected.
            opening, self._opening = self._opening, None
            return opening
        try:
            while await self._is_allowed():
                before = self._follower.position
                news = await self._follower.next()
                if news is None:
                    return None
                if news.after == news.through:
                    return b": nothing new\nid: %d\n\n" % news.through
                if data := self._chosen(news, before):
                    return data
        except FastpayError:
            # What it could not read now it reads when it comes back.
            return None
        return None

    def _chosen(self, news: News, before: int) -> bytes:
        types = self._types
        if types is None and before <= news.after:
            return news.data
        return b"".join(
            piece.data
            for piece in news.pieces
            if piece.sequence > before and (types is None or piece.type in types)
        )

    async def _is_allowed(self) -> bool:
        """Tell whether the key is still valid, looked at as often as heartbeats come."""
        now_ns = self._services.clock.monotonic_ns()
        if now_ns - self._checked_ns < limits.feed_heartbeat_ms * 1_000_000:
            return True
        self._checked_ns = now_ns
        try:
            credentials = await authenticate(self._services.keys, self._authorization, None)
        except Unauthenticated:
            return False
        except FastpayError:
            return True
        return credentials.scope == self._scope


async def _read_news(services: Services, scope: Scope, after: int) -> News:
    """Return the events of a tenant that follow a number, as they are sent."""
    page = EventPage(
        limit=limits.page_size_max,
        below=after + limits.event_numbers_examined_max + 1,
        above=after,
        ascending=True,
        types=events.TYPES,
    )
    found, through, end = await read_following(services, scope, after, page)
    bodies = await render_occurrences(services, scope, found)
    pieces = [
        Piece(one.event.sequence, one.event.type, b"id: %d\ndata: %b\n\n" % (one.event.sequence, body))
        for one, body in zip(found, bodies, strict=True)
    ]
    data, types = b"".join(piece.data for piece in pieces), frozenset(piece.type for piece in pieces)
    return News(after, through, end, pieces, data, types)
