"""Operations: what the document says of each route."""

from collections.abc import Collection, Mapping

from fastpay import limits
from fastpay.api.decoding import FORM
from fastpay.api.envelopes import render_list, render_search_result
from fastpay.api.errors import JSON_TYPE
from fastpay.api.openapi import examples, failures
from fastpay.api.openapi.descriptions import explained
from fastpay.api.openapi.objects import Objects, name_of
from fastpay.api.openapi.parameters import Parameters
from fastpay.api.openapi.schemas import INTEGER, STRING, Schema, list_of
from fastpay.api.resource import Resource
from fastpay.api.routes import Contract, Route
from fastpay.api.versions import VERSION_CHARS_MAX, VERSION_PATTERN

# Headers of requests, by what refers to them: of all, and of those that change something.
_OF_ALL: dict[str, Schema] = {
    "stripe_account": {
        "name": "Stripe-Account",
        "in": "header",
        "description": "The account of the key. Any other one is refused.",
        "schema": {**STRING, "pattern": "^acct_[0-9a-f]{32}$"},
    },
    "stripe_version": {
        "name": "Stripe-Version",
        "in": "header",
        "description": "A version of the dialect. It is echoed, and every version gets the same shapes.",
        "schema": {**STRING, "maxLength": VERSION_CHARS_MAX, "pattern": f"^{VERSION_PATTERN}$"},
        "example": "2025-09-30.clover",
    },
}
_OF_CHANGES: dict[str, Schema] = {
    "idempotency_key": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "The same key with the same request gets the first answer again.",
        "schema": {**STRING, "pattern": f"^[!-~]{{1,{limits.idempotency_key_chars_max}}}$"},
    },
    "timeout": {
        "name": "Fastpay-Timeout-Ms",
        "in": "header",
        "description": "How long the client waits. What has not begun by then is not done.",
        "schema": {**INTEGER, "minimum": 1, "maximum": limits.client_timeout_ms_max},
    },
}
# Headers of deliveries to webhook endpoints.
_OF_DELIVERIES: dict[str, Schema] = {
    "stripe_signature": {
        "name": "Stripe-Signature",
        "description": "`t=<seconds>,v1=<hex>`, one `v1` for each secret: HMAC-SHA256 over `t.body`.",
        "schema": {**STRING, "pattern": "^t=[0-9]+(,v1=[0-9a-f]{64})+$"},
    },
    "webhook_id": {
        "name": "webhook-id",
        "description": "The identifier of the event, the same on every attempt.",
        "schema": {**STRING, "pattern": "^evt_[0-9a-f]{32}$"},
    },
    "webhook_timestamp": {
        "name": "webhook-timestamp",
        "description": "When the attempt was made, in seconds since 1970.",
        "schema": INTEGER,
    },
    "webhook_signature": {
        "name": "webhook-signature",
        "description": "`v1,<base64>` for each secret, as Standard Webhooks has it: HMAC-SHA256 over "
        "`id.timestamp.body`.",
        "schema": {**STRING, "pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)*$"},
    },
    "fastpay_sequence": {
        "name": "Fastpay-Sequence",
        "description": "The number of the event in the sequence of the tenant and mode.",
        "schema": {**INTEGER, "minimum": 1},
    },
    "fastpay_previous_sequence": {
        "name": "Fastpay-Previous-Sequence",
        "description": "That of the event before it for this endpoint: a gap shows that one is missing.",
        "schema": {**INTEGER, "minimum": 0},
    },
    "fastpay_attempt": {
        "name": "Fastpay-Attempt",
        "description": "Which attempt to deliver the event this is, from 1.",
        "schema": {**INTEGER, "minimum": 1},
    },
}
HEADERS: dict[str, Schema] = {
    **_OF_ALL,
    **_OF_CHANGES,
    **{name: {"in": "header", "required": True, **header} for name, header in _OF_DELIVERIES.items()},
}
_REQUEST_ID: Schema = {"Request-Id": {"description": "Names the request.", "schema": STRING}}
_ACTIONS = {"list": "list", "search_result": "search", "object": "retrieve"}
_SUMMARIES = {"list": "List", "search_result": "Search", "object": "Retrieve"}
_SECRET: tuple[Schema, ...] = ({"bearer": []}, {"basic": []})
_PUBLIC: tuple[Schema, ...] = (*_SECRET, {"publishable": []})


class Operations:
    """Describes routes."""

    def __init__(self, objects: Objects, parameters: Parameters, paths: Collection[tuple[str, str]]) -> None:
        self._objects = objects
        self._parameters = parameters
        # The methods and paths that are served.
        self._paths = paths

    def describe(self, route: Route) -> Schema:
        """Return the operation of a route."""
        contract = route.endpoint.contract
        is_public = route.endpoint.policy.is_public
        operation: Schema = {
            "operationId": self.name(route),
            "summary": _summary(route, contract),
            "tags": [tag_of(route)],
            "security": _PUBLIC if is_public else _SECRET,
            "parameters": self._sent(route, contract),
        }
        if route.method == "POST":
            operation["requestBody"] = self._body(contract)
        operation["responses"] = {"200": self._shown(contract), **failures.answers(route.method)}
        return operation

    def name(self, route: Route) -> str:
        """Return a name like those of the SDKs: `payment_intents_capture`."""
        nouns = [piece for piece in _pieces(route) if not piece.startswith("{")]
        if _acts(route, self._paths):
            return "_".join(nouns)
        if route.method == "GET":
            action = _ACTIONS[route.endpoint.contract.answer]
        elif route.method == "DELETE":
            action = "delete"
        else:
            action = "update" if route.path.endswith("}") else "create"
        return "_".join([*(noun for noun in nouns if noun != action), action])

    def _sent(self, route: Route, contract: Contract) -> list[Schema]:
        names = [piece[1:-1] for piece in route.path.split("/") if piece.startswith("{")]
        within: Schema = {**STRING, "minLength": 1, "maxLength": limits.identifier_chars_max}
        sent: list[Schema] = [
            {
                "name": name,
                "in": "path",
                "required": True,
                "description": f"Identifier of the {'object' if name == 'id' else name.replace('_', ' ')}.",
                "schema": within,
            }
            for name in names
        ]
        if route.method != "POST":
            sent += self._parameters.query(contract.params)
        return sent + _referred(_OF_ALL if route.method == "GET" else {**_OF_CHANGES, **_OF_ALL})

    def _body(self, contract: Contract) -> Schema:
        schema = self._parameters.body(contract.params)
        example = examples.request(contract.params)
        nested = examples.nested_names(contract.params)
        form: Schema = {"schema": schema, "example": example}
        if nested:
            form["encoding"] = {name: {"style": "deepObject", "explode": True} for name in nested}
        required = any(field.required for field in examples.fields_of(contract.params))
        return {
            "required": required,
            "content": {JSON_TYPE: {"schema": schema, "example": example}, FORM: form},
        }

    def _shown(self, contract: Contract) -> Schema:
        schema = self._objects.shown(contract.shows)
        if contract.answer != "object":
            schema = explained(list_of(schema, contract.answer, numbers=contract.numbers), contract.answer)
        content: Schema = {JSON_TYPE: {"schema": schema}}
        example = examples.answer(contract.shows)
        if contract.answer == "list":
            example = render_list("/v1/...", [example], has_more=False)
        elif contract.answer == "search_result":
            example = render_search_result("/v1/...", [example], has_more=False, next_page=None)
        content[JSON_TYPE]["example"] = example
        content |= {media_type: {"schema": STRING} for media_type in contract.media_types}
        return {"description": "Done.", "headers": _REQUEST_ID, "content": content}


def headers_of_deliveries() -> list[Schema]:
    """Return the headers that each delivery of an event has."""
    return _referred(_OF_DELIVERIES)


def _referred(headers: Mapping[str, Schema]) -> list[Schema]:
    return [{"$ref": f"#/components/parameters/{name}"} for name in headers]


def tag_of(route: Route) -> str:
    """Return the group of an operation: the resource that the path begins with."""
    pieces = _pieces(route)
    return pieces[1] if pieces[0] == "test_helpers" else pieces[0]


def _pieces(route: Route) -> list[str]:
    return route.path.removeprefix("/v1/").split("/")


def _acts(route: Route, paths: Collection[tuple[str, str]]) -> bool:
    """Tell whether the last piece of a path is what is done, such as `capture`, and no collection."""
    pieces = _pieces(route)
    below = any(piece.startswith("{") for piece in pieces[:-1])
    is_last_a_name = not pieces[-1].startswith("{")
    return route.method == "POST" and below and is_last_a_name and ("GET", route.path) not in paths


def _summary(route: Route, contract: Contract) -> str:
    if contract.summary:
        return contract.summary.partition("\n")[0]
    nouns = [piece for piece in _pieces(route) if not piece.startswith("{") and piece != "search"]
    named = nouns[-1]
    if isinstance(contract.shows, Resource) and contract.answer == "object":
        named = "the " + name_of(contract.shows)
    return f"{_SUMMARIES[contract.answer]} {named.replace('_', ' ')}."
