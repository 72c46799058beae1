"""The reading half of the surface, a page at a time: lists, and what a search finds."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from msgspec import Raw, UnsetType

from fastpay import limits
from fastpay.api import answers, search
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.expansion import expand, stands_alone
from fastpay.api.params.common import NoParams, refuse_together
from fastpay.api.params.lists import CreatedListParams, CreatedRange, ListParams, SearchParams
from fastpay.api.rendering import render, render_bytes, render_list, render_search_result
from fastpay.api.rendering.envelopes import Item
from fastpay.domain import kinds
from fastpay.domain.identifiers import HIGHEST, LOWEST, digits, lower_bound
from fastpay.domain.objects import Customer, PaymentMethod
from fastpay.domain.plan import Versioned
from fastpay.engine.ports import Filter, Page
from fastpay.errors import InvalidRequest

# What a search may be asked to count, beside the paths into what it found.
_TOTAL_COUNT = "total_count"

_Params = TypeVar("_Params", bound=ListParams)


class List(Generic[_Params]):
    """An endpoint that shows the objects of one kind, newest first.

    `filters` names the parameters that choose some of them, with the kind of identifier that each takes; None
    is any text. `owner` is the attribute that refers to the object in the path, and the kind of that object:
    only what belongs to it is shown.
    """

    is_public = False
    is_brief = False
    is_gated = False

    def __init__(
        self,
        params_type: type[_Params],
        kind: kinds.Kind,
        *,
        filters: Mapping[str, kinds.Kind | None] | None = None,
        owner: tuple[str, kinds.Kind] | None = None,
    ) -> None:
        self._params_type = params_type
        self._kind = kind
        self._filters = filters or {}
        self._owner = owner

    @property
    def prefix(self) -> str:
        """The prefix of the objects that are shown."""
        return self._kind.prefix

    @property
    def attributes(self) -> tuple[str, ...]:
        """The attributes that the shown objects can be chosen by."""
        return (*self._filters, *([] if self._owner is None else [self._owner[0]]))

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: FastpayError."""
        params = decode_query(self._params_type, call.query)
        paths = answers.check_expansions(call, self._kind.prefix, params.expand, listed=True)
        call.ended("decode")
        values = self._values(params)
        if self._owner is not None:
            values.append(await self._owned(call, *self._owner))
        wanted = Filter(kind=self._kind.prefix, values=tuple(values))
        page = await self._page(call, params)
        snapshots = await answers.begin_page(call, paths)
        rows = await call.services.reader.list(call.scope, wanted, page)
        call.ended("read")
        found, has_more = cut(rows, page)
        items = await shown(found, paths, snapshots)
        return Reply(body=answers.encode(render_list(call.path, items, has_more)))

    async def _owned(self, call: Call, attribute: str, owner: kinds.Kind) -> tuple[str, str]:
        identifier = kinds.check(owner, call.arguments["id"])
        if owner is kinds.CUSTOMER:
            await require_customer(call)
        elif await call.services.reader.get(call.scope, identifier) is None:
            raise kinds.absent(owner, identifier)
        return attribute, identifier

    def _values(self, params: _Params) -> list[tuple[str, str]]:
        given: list[tuple[str, str]] = []
        for name, kind in self._filters.items():
            value = getattr(params, name)
            if isinstance(value, UnsetType):
                continue
            if kind is not None and not kinds.could_be(kind, value):
                raise _absent(kind, value, name)
            given.append((name, value))
        return given

    async def _page(self, call: Call, params: _Params) -> Page:
        below, above = await self._cursors(call, params)
        ascending = above != LOWEST
        if isinstance(params, CreatedListParams) and not isinstance(params.created, UnsetType):
            earliest, latest = created_bounds(params.created)
            below, above = min(below, latest), max(above, earliest)
        return Page(limit=params.limit, below=below, above=above, ascending=ascending)

    async def _cursors(self, call: Call, params: _Params) -> tuple[str, str]:
        after, before = params.starting_after, params.ending_before
        if not isinstance(after, UnsetType):
            if not isinstance(before, UnsetType):
                raise refuse_together("starting_after", "ending_before")
            return await self._cursor(call, after, "starting_after"), LOWEST
        if not isinstance(before, UnsetType):
            return HIGHEST, await self._cursor(call, before, "ending_before")
        return HIGHEST, LOWEST

    async def _cursor(self, call: Call, identifier: str, param: str) -> str:
        """Return the digits of an object that the page begins or ends at; it must be there."""
        found = None
        if kinds.could_be(self._kind, identifier):
            found = await call.services.reader.get(call.scope, identifier)
        if found is None:
            raise _absent(self._kind, identifier, param)
        return digits(identifier)


class Search:
    """The endpoint that shows the objects of one kind that a query finds, newest first."""

    is_public = False
    is_brief = False
    is_gated = True

    def __init__(self, kind: kinds.Kind) -> None:
        self._kind = kind

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: InvalidRequest, Overloaded."""
        params = decode_query(SearchParams, call.query)
        kind = self._kind.prefix
        counts = _TOTAL_COUNT in params.expand
        wanted = [path for path in params.expand if path != _TOTAL_COUNT]
        paths = answers.check_expansions(call, kind, wanted, listed=True)
        below = HIGHEST
        token_key = call.credentials.fingerprint_key
        token_query = f"{kind} {params.query}"
        if not isinstance(params.page, UnsetType):
            below = search.parse_page_token(params.page, token_query, token_key)
        query = search.parse(params.query, kind)
        page = Page(limit=params.limit, below=below)
        call.ended("decode")
        snapshots = await answers.begin_page(call, paths)
        found, has_more = cut(await call.services.reader.search(call.scope, query, page), page)
        call.ended("read")
        next_page = search.page_token(found[-1].object.id, token_query, token_key) if has_more else None
        body = render_search_result(call.path, await shown(found, paths, snapshots), has_more, next_page)
        if counts:
            everything = Page(limit=limits.search_total_max - 1)
            body["total_count"] = len(await call.services.reader.search(call.scope, query, everything))
        return Reply(body=answers.encode(body))


class RetrieveOwned:
    """The endpoint that shows a payment method of a customer, both named by the path."""

    is_public = False
    is_brief = False
    is_gated = False

    async def answer(self, call: Call) -> Reply:
        """Show the payment method. Raises: NotFound, also for another customer's."""
        params = decode_query(NoParams, call.query)
        paths = answers.check_expansions(call, kinds.PAYMENT_METHOD.prefix, params.expand)
        identifier = kinds.check(kinds.PAYMENT_METHOD, call.arguments["payment_method"])
        customer = await require_customer(call)
        found = await call.services.reader.get(call.scope, identifier)
        method = None if found is None else found.object
        if found is None or not isinstance(method, PaymentMethod) or method.customer != customer.id:
            raise kinds.absent(kinds.PAYMENT_METHOD, identifier)
        return Reply(body=await answers.shown(call, method, answers.Snapshots(call, {}), paths=paths))


async def require_customer(call: Call) -> Customer:
    """Return the customer whom the path names. Raises: NotFound."""
    identifier = kinds.check(kinds.CUSTOMER, call.arguments["id"])
    found = await call.services.reader.get(call.scope, identifier)
    if found is None or not isinstance(found.object, Customer) or found.object.deleted:
        raise kinds.absent(kinds.CUSTOMER, identifier)
    return found.object


async def shown(
    rows: Sequence[Versioned], paths: Sequence[str], snapshots: answers.Snapshots
) -> Sequence[Item]:
    """Return objects as they are shown, expanded along paths."""
    livemode = snapshots.livemode
    if not paths and all(stands_alone(row.object) for row in rows):
        return [Raw(render_bytes(row.object, livemode)) for row in rows]
    items = [render(row.object, livemode) for row in rows]
    await expand(items, paths, snapshots)
    return await answers.encode_apart(items, snapshots)


def cut(rows: Sequence[Versioned], page: Page) -> tuple[Sequence[Versioned], bool]:
    """Return the rows of a page without the one too many, and whether there was one.

    It is the furthest from where the page begins: the newest one when that is its older end.
    """
    if len(rows) <= page.limit:
        return rows, False
    return (rows[-page.limit :] if page.ascending else rows[: page.limit]), True


def created_bounds(created: CreatedRange | int) -> tuple[str, str]:
    """Return the digits that objects made in a range of seconds lie strictly between."""
    if isinstance(created, int):
        return lower_bound(created), lower_bound(created + 1)
    # No identifier has all the zeros of a lower bound, so that strictly above it is at or after its second.
    above = [LOWEST]
    below = [HIGHEST]
    if not isinstance(created.gt, UnsetType):
        above.append(lower_bound(created.gt + 1))
    if not isinstance(created.gte, UnsetType):
        above.append(lower_bound(created.gte))
    if not isinstance(created.lt, UnsetType):
        below.append(lower_bound(created.lt))
    if not isinstance(created.lte, UnsetType):
        below.append(lower_bound(created.lte + 1))
    return max(above), min(below)


def _absent(kind: kinds.Kind, identifier: str, param: str) -> InvalidRequest:
    missing = kinds.absent(kind, identifier)
    return InvalidRequest(missing.message, code=missing.code, param=param)
