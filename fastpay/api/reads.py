"""The endpoint that shows one object."""

from collections.abc import Callable
from typing import Generic, TypeVar

from fastpay._native.cache import CachedResponse
from fastpay.api import answers
from fastpay.api.cached_responses import form_of, make_response
from fastpay.api.common_params import Params
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.etags import tag
from fastpay.api.resource import Resource, Resources
from fastpay.api.routes import Contract, Policy
from fastpay.api.snapshots import Snapshots
from fastpay.domain import kinds
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Versioned

_Params = TypeVar("_Params", bound=Params)


class Retrieve(Generic[_Params]):
    """An endpoint that shows the object whose identifier is in the path.

    `check` sees the object before it is shown, and must protect it where publishable keys are allowed
    (`is_public`). `stand_in` gives an object that is known without being stored.
    """

    def __init__(
        self,
        resource: Resource,
        params_type: type[_Params],
        *,
        check: Callable[[Call, _Params, StoredObject], None] | None = None,
        stand_in: Callable[[Call, str], StoredObject | None] | None = None,
        is_public: bool = False,
    ) -> None:
        self.resource = resource
        self.policy = Policy(is_public=is_public, deadline="with query")
        self.contract = Contract(params_type, resource)
        self._params_type = params_type
        self._check = check
        self._stand_in = stand_in

    def render(
        self, _resources: Resources, path: str, versioned: Versioned, livemode: bool
    ) -> CachedResponse | None:
        """Return the answer that shows only the object, None if it needs more."""
        stored = versioned.object
        if not isinstance(stored, self.resource.struct) or not self.resource.is_plain(stored):
            return None
        return make_response(self.resource, path, versioned, livemode)

    async def answer(self, call: Call) -> Reply:
        """Show the object. Raises: NotFound."""
        resource, identifier = self.resource, call.arguments["id"]
        stand_in = self._stand_in(call, identifier) if self._stand_in is not None else None
        if stand_in is None:
            # Before the parameters: a path without a search must say so, whatever the query is.
            kinds.check(resource.kind, identifier)
        params = decode_query(self._params_type, call.query)
        paths = answers.check_expansions(call, resource, params.expand)
        call.ended("decode")
        if stand_in is None:
            is_cached = call.timing is not None and call.services.reader.entry(call.scope, identifier)
            found = await call.services.reader.get(call.scope, identifier)
            call.ended("cache" if is_cached else "read")
        else:
            found = Versioned(stand_in, 1, 0)
        if found is None or not isinstance(found.object, resource.struct):
            raise kinds.absent(resource.kind, identifier)
        if self._check is not None:
            self._check(call, params, found.object)
        if stand_in is None and not paths and not call.is_publishable and resource.is_plain(found.object):
            return _plain(call, resource, found, identifier)
        snapshots = Snapshots(call, {identifier: found})
        body = await answers.shown(call, resource, found.object, snapshots, paths=paths)
        return Reply(body=body, etag=tag(found.version, body))


def _plain(call: Call, resource: Resource, found: Versioned, identifier: str) -> Reply:
    """Return the answer that shows only the object, rendered once a version."""
    response = kept_response(call, found)
    if response is None:
        path = call.path.removesuffix(identifier)
        response = make_response(resource, path, found, call.scope.livemode)
    return reply_with(call, found, response)


def kept_response(call: Call, found: Versioned) -> CachedResponse | None:
    """Return what was rendered from this version before."""
    entry = call.services.reader.entry(call.scope, found.object.id)
    return entry.response if entry is not None and entry.version == found.version else None


def reply_with(call: Call, found: Versioned, response: CachedResponse) -> Reply:
    """Return a cached response as the answer, and keep it for as long as the object is cached."""
    reader, identifier = call.services.reader, found.object.id
    reader.rendered(call.scope, found, response)
    partition = reader.partition(call.scope)

    def encoded(coding: str) -> bytes:
        return form_of(reader.cache, partition.entries.get(identifier), response, coding).body

    return Reply(body=response.body, etag=response.etag, encoded=encoded)
