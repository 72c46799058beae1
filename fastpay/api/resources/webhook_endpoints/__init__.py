"""Webhook endpoints: where events are delivered, what became of that, and how to have it done again.

A secret is shown by the answers that make it, and by nothing else. What is rendered has its salt, and sealed
headers; both are replaced where the tenant's key is at hand, so that a replay shows the same.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import UnsetType

from fastpay import limits
from fastpay.api import answers
from fastpay.api.common_params import (
    NoParams,
    Params,
    first_metadata,
    given,
    refuse_together,
    value_or,
)
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_params, decode_query
from fastpay.api.envelopes import Item, render_list
from fastpay.api.list_params import ListParams
from fastpay.api.lists import List, Owner, absent, cut, page_of, require_owner
from fastpay.api.resources.events import require_event
from fastpay.api.resources.webhook_endpoints.params import (
    AttemptListParams,
    CreateParams,
    ReplayParams,
    RotateParams,
    SettingsParams,
    UpdateParams,
    check_event_types,
    check_headers,
    check_url,
)
from fastpay.api.resources.webhook_endpoints.shape import (
    ANSWERED,
    WEBHOOK_ENDPOINT,
    WEBHOOK_REPLAY,
    WITH_SALT,
    ShownAttempt,
    render_attempt,
    with_state,
)
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.writes import Reading, Write
from fastpay.domain import kinds
from fastpay.domain.identifiers import position_of
from fastpay.domain.objects import StoredObject
from fastpay.domain.webhook_endpoints import (
    CreateEndpoint,
    DeleteEndpoint,
    EnableEndpoint,
    EndpointSecret,
    PingEndpoint,
    ReplayEvents,
    RotateSecret,
    UpdateEndpoint,
    WebhookEndpoint,
    secret_text,
)
from fastpay.engine.ports import Filter, Page
from fastpay.engine.relay.ports import AttemptPage, EndpointState
from fastpay.errors import InvalidRequest

_SALT_BYTES = 16
_EXISTING = "existing"

_Params = TypeVar("_Params", bound=Params)


class WriteEndpoint(Write[_Params]):
    """An endpoint of the API whose answer shows what is secret: the headers, and the secret that it made."""

    async def answer(self, call: Call) -> Reply:
        """Commit the command of the request. Raises: FastpayError."""
        reply = await super().answer(call)
        if reply.status != 200:
            return reply
        body = msgspec.json.decode(reply.body)
        if "secret" in body:
            made = EndpointSecret(salt=body["secret"])
            body["secret"] = secret_text(call.credentials.fingerprint_key, call.scope, made)
        return msgspec.structs.replace(reply, body=answers.encode(_opened(call, body)))


class Create(WriteEndpoint[CreateParams]):
    """The endpoint of the API that creates webhook endpoints, up to a number."""

    async def answer(self, call: Call) -> Reply:
        """Commit the command of the request. Raises: FastpayError."""
        # The command refuses one too many, and not this: a request that is repeated is answered as before.
        # Requests at the same time may get past the number by as many as they are.
        wanted = Filter(kind=kinds.WEBHOOK_ENDPOINT.prefix)
        found = await call.services.reader.list(call.scope, wanted, Page(limit=limits.webhook_endpoints_max))
        counted = {**call.arguments, _EXISTING: str(len(found))}
        return await super().answer(msgspec.structs.replace(call, arguments=counted))


class RetrieveEndpoint:
    """The endpoint of the API that shows one webhook endpoint, with the state of its deliveries."""

    policy = Policy()
    contract = Contract(NoParams, ANSWERED)

    async def answer(self, call: Call) -> Reply:
        """Show the endpoint. Raises: NotFound, also for one that was deleted."""
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, ANSWERED, params.expand)
        found = await require_owner(call, kinds.WEBHOOK_ENDPOINT)
        assert isinstance(found, WebhookEndpoint)
        return Reply(body=answers.encode((await _with_states(call, [found]))[0]))


class ListEndpoints(List[ListParams]):
    """The endpoint of the API that shows webhook endpoints, newest first, with their states."""

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: FastpayError."""
        params = decode_query(ListParams, call.query)
        answers.check_expansions(call, ANSWERED, params.expand, listed=True)
        page = await page_of(params, kinds.WEBHOOK_ENDPOINT, partial(self._exists, call))
        wanted = Filter(kind=kinds.WEBHOOK_ENDPOINT.prefix)
        rows, has_more = cut(await call.services.reader.list(call.scope, wanted, page), page)
        items = await _with_states(call, [row.object for row in rows])
        return Reply(body=answers.encode(render_list(call.path, items, has_more)))


class ListAttempts:
    """The endpoint of the API that shows the attempts to deliver to a webhook endpoint, newest first."""

    policy = Policy()
    contract = Contract(AttemptListParams, ShownAttempt, "list")

    async def answer(self, call: Call) -> Reply:
        """Show a page. Raises: FastpayError."""
        params = decode_query(AttemptListParams, call.query)
        answers.check_expansions(call, None, params.expand, listed=True)
        endpoint = await require_owner(call, kinds.WEBHOOK_ENDPOINT)
        page = await page_of(params, kinds.WEBHOOK_ATTEMPT, _always)
        wanted = _attempt_page(params, page)
        deliveries, scope = call.services.deliveries, call.scope
        found = [] if deliveries is None else await deliveries.attempts(scope, endpoint.id, wanted)
        rows, has_more = cut(found, page)
        items: list[Item] = [{**render_attempt(attempt, endpoint.id, scope.livemode)} for attempt in rows]
        return Reply(body=answers.encode(render_list(call.path, items, has_more)))


def create(call: Call, params: CreateParams) -> CreateEndpoint:
    """Create an endpoint."""
    if params.connect is True:
        raise InvalidRequest(
            "There are no events of connected accounts here: leave out connect, or give false.",
            param="connect",
        )
    start = None
    if not isinstance(params.fastpay, UnsetType):
        start = value_or(params.fastpay.start_after_sequence, None)
    return CreateEndpoint(
        salt=_new_salt(call),
        existing=int(call.arguments[_EXISTING]),
        fields={**given(params, "api_version"), **_fields(call, params)},
        metadata=first_metadata(params.metadata),
        start_after_sequence=start,
    )


def update(call: Call, params: UpdateParams) -> UpdateEndpoint:
    """Change an endpoint."""
    return UpdateEndpoint(
        id=call.arguments["id"],
        fields=_fields(call, params),
        metadata=value_or(params.metadata, {}),
        disabled=value_or(params.disabled, None),
    )


def delete(call: Call, params: NoParams) -> DeleteEndpoint:
    """Delete an endpoint."""
    return DeleteEndpoint(id=call.arguments["id"])


def enable(call: Call, params: NoParams) -> EnableEndpoint:
    """Enable an endpoint again."""
    return EnableEndpoint(id=call.arguments["id"])


def ping(call: Call, params: NoParams) -> PingEndpoint:
    """Have an event delivered to an endpoint."""
    return PingEndpoint(id=call.arguments["id"])


def rotate(call: Call, params: RotateParams) -> RotateSecret:
    """Make a new secret."""
    return RotateSecret(id=call.arguments["id"], salt=_new_salt(call), overlap_s=params.overlap_seconds)


def replay(call: Call, params: ReplayParams) -> ReplayEvents:
    """Have events delivered again."""
    identifier = call.arguments["id"]
    if not isinstance(params.event, UnsetType):
        sequence, _ = position_of(params.event)
        return ReplayEvents(id=identifier, from_sequence=sequence, to_sequence=sequence, event=params.event)
    if isinstance(params.from_sequence, UnsetType):
        raise InvalidRequest(
            "Give from_sequence, or one event.", code="parameter_missing", param="from_sequence"
        )
    return ReplayEvents(
        id=identifier,
        from_sequence=params.from_sequence,
        to_sequence=value_or(params.to_sequence, None),
        types=params.types,
    )


async def _decode_replay(call: Call) -> ReplayParams:
    """Return the parameters of a replay, whose event exists. Raises: InvalidRequest."""
    params = decode_params(
        ReplayParams, content_type=call.headers.get("content-type"), body=call.take_body(), query=call.query
    )
    if isinstance(params.event, UnsetType):
        return params
    for name in ("from_sequence", "to_sequence"):
        if not isinstance(getattr(params, name), UnsetType):
            raise refuse_together("event", name)
    if params.types:
        raise refuse_together("event", "types")
    await require_event(call, params.event, "event")
    return params


def _fields(call: Call, params: CreateParams | UpdateParams) -> dict[str, object]:
    """Return the checked fields of an endpoint. Raises: InvalidRequest."""
    fields = given(params, "description", "enabled_events")
    if not isinstance(params.enabled_events, UnsetType):
        check_event_types(params.enabled_events)
    if not isinstance(params.url, UnsetType):
        must_be_https = call.scope.livemode and not call.services.settings.allows_plain_webhooks
        fields["url"] = check_url(params.url, must_be_https=must_be_https)
    if isinstance(params.fastpay, UnsetType):
        return fields
    settings: SettingsParams = params.fastpay
    fields |= given(settings, "order", "payload", "requests_per_second")
    if not isinstance(settings.headers, UnsetType):
        fields["headers"] = _seal(call, check_headers(settings.headers or {}))
    return fields


def _seal(call: Call, headers: dict[str, str]) -> dict[str, str]:
    """Return headers as they are stored."""
    if not headers:
        return {}
    seal = call.services.header_seal
    assert seal is not None
    return seal.seal(call.credentials.fingerprint_key, call.scope, headers)


def _opened(call: Call, body: dict[str, Any]) -> dict[str, Any]:
    """Return a rendered endpoint with its headers opened. One that was deleted has none."""
    settings, seal = body.get("fastpay"), call.services.header_seal
    if settings and settings["headers"] and seal is not None:
        key = call.credentials.fingerprint_key
        settings["headers"] = seal.open(key, call.scope, settings["headers"])
    return body


def _new_salt(call: Call) -> str:
    return call.services.clock.random_bytes(_SALT_BYTES).hex()


async def _with_states(call: Call, found: list[StoredObject]) -> list[dict[str, object]]:
    """Return endpoints as they are shown, with the states of their deliveries."""
    endpoints = [one for one in found if isinstance(one, WebhookEndpoint)]
    deliveries = call.services.deliveries
    states: Mapping[str, EndpointState] = {}
    if deliveries is not None and endpoints:
        states = await deliveries.states(call.scope, [one.id for one in endpoints])
    return [_opened(call, with_state(one, call.scope.livemode, states)) for one in endpoints]


def _attempt_page(params: AttemptListParams, page: Page) -> AttemptPage:
    if not isinstance(params.event, UnsetType) and not kinds.could_be(kinds.EVENT, params.event):
        raise absent(kinds.EVENT, params.event, "event")
    return AttemptPage(
        limit=page.limit,
        below=page.below,
        above=page.above,
        ascending=page.ascending,
        is_delivered=value_or(params.success, None),
        event_id=value_or(params.event, None),
        sequence=value_or(params.sequence, None),
    )


async def _always(identifier: str) -> bool:
    # An attempt is dropped after a time, and what is behind it stays where it was.
    return True


_KIND = kinds.WEBHOOK_ENDPOINT
_PATH = "/v1/webhook_endpoints"
_OWN = f"{_PATH}/{{id}}"

RESOURCES = (WEBHOOK_ENDPOINT, WEBHOOK_REPLAY)
ROUTES = (
    Route("POST", _PATH, Create(WITH_SALT, CreateParams, create)),
    Route("GET", _PATH, ListEndpoints(ANSWERED, ListParams)),
    Route("GET", _OWN, RetrieveEndpoint()),
    Route("POST", _OWN, WriteEndpoint(ANSWERED, UpdateParams, update, path_kind=_KIND)),
    Route("DELETE", _OWN, WriteEndpoint(ANSWERED, NoParams, delete, path_kind=_KIND)),
    Route("GET", f"{_OWN}/attempts", ListAttempts()),
    Route("POST", f"{_OWN}/enable", WriteEndpoint(ANSWERED, NoParams, enable, path_kind=_KIND)),
    Route("POST", f"{_OWN}/ping", WriteEndpoint(ANSWERED, NoParams, ping, path_kind=_KIND)),
    Route(
        "POST",
        f"{_OWN}/replay",
        Write(
            WEBHOOK_REPLAY,
            ReplayParams,
            replay,
            path_kind=_KIND,
            reading=Reading(ReplayParams, _decode_replay),
        ),
    ),
    Route(
        "GET",
        f"{_OWN}/replays",
        List(WEBHOOK_REPLAY, ListParams, owner=Owner(kinds.WEBHOOK_ENDPOINT, "webhook_endpoint")),
    ),
    Route("POST", f"{_OWN}/rotate_secret", WriteEndpoint(WITH_SALT, RotateParams, rotate, path_kind=_KIND)),
)
