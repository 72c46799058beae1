"""The reading half of the surface, one object at a time."""

from collections.abc import Callable
from typing import Generic, TypeVar

from fastpay._native.cache import CachedResponse
from fastpay.api import answers
from fastpay.api.cached_responses import form_of, make_response
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.etags import tag
from fastpay.api.expansion import stands_alone
from fastpay.api.params.common import Params
from fastpay.domain import kinds
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned

_Params = TypeVar("_Params", bound=Params)
_Stored = TypeVar("_Stored", bound=StoredObject)


class Retrieve(Generic[_Params, _Stored]):
    """An endpoint that shows the object whose identifier is in the path.

    `check` sees the object before it is shown, and is what a publishable key must get past; `stand_in`
    gives an object that is known without being stored.
    """

    def __init__(
        self,
        params_type: type[_Params],
        kind: kinds.Kind,
        stored_type: type[_Stored],
        *,
        check: Callable[[Call, _Params, _Stored], None] | None = None,
        stand_in: Callable[[Call, str], _Stored | None] | None = None,
        is_public: bool = False,
    ) -> None:
        self._params_type = params_type
        self._kind = kind
        self._stored_type = stored_type
        self._check = check
        self._stand_in = stand_in
        self.is_public = is_public

    is_brief = True
    is_gated = False

    @property
    def prefix(self) -> str:
        """How the identifiers begin of what is shown here."""
        return self._kind.prefix

    def render(self, path: str, versioned: Versioned, livemode: bool) -> CachedResponse | None:
        """Return the answer to a secret key that asks for no more than the object; None for the long way."""
        stored = versioned.object
        if not isinstance(stored, self._stored_type) or not stands_alone(stored):
            return None
        return make_response(path, versioned, livemode)

    async def answer(self, call: Call) -> Reply:
        """Show the object. Raises: NotFound."""
        identifier = call.arguments["id"]
        stand_in = self._stand_in(call, identifier) if self._stand_in is not None else None
        if stand_in is None:
            # Before the parameters: who looks for a search that is not served is to hear of that first.
            kinds.check(self._kind, identifier)
        params = decode_query(self._params_type, call.query)
        paths = answers.check_expansions(call, self._kind.prefix, params.expand)
        call.ended("decode")
        if stand_in is None:
            is_cached = call.timing is not None and call.services.reader.entry(call.scope, identifier)
            found = await call.services.reader.get(call.scope, identifier)
            call.ended("cache" if is_cached else "read")
        else:
            found = Versioned(stand_in, 1, 0)
        if found is None or not isinstance(found.object, self._stored_type):
            raise kinds.absent(self._kind, identifier)
        if self._check is not None:
            self._check(call, params, found.object)
        if stand_in is None and not paths and answers.is_plain(call, found.object):
            return _plain(call, found, identifier)
        snapshots = answers.Snapshots(call, {identifier: found})
        body = await answers.shown(call, found.object, snapshots, paths=paths)
        return Reply(body=body, etag=tag(found.version, body))


def _plain(call: Call, found: Versioned, identifier: str) -> Reply:
    """Return the answer that shows an object and nothing else, rendered once for each version."""
    reader = call.services.reader
    entry = reader.entry(call.scope, identifier)
    if entry is not None and entry.version == found.version and entry.response is not None:
        response = entry.response
    else:
        path = call.path.removesuffix(identifier)
        response = make_response(path, found, call.scope.livemode)
        reader.rendered(call.scope, found, response)
    partition = reader.partition(call.scope)

    def encoded(coding: str) -> bytes:
        return form_of(reader.cache, partition.entries.get(identifier), response, coding).body

    return Reply(body=response.body, etag=response.etag, encoded=encoded)
