"""The OpenAPI document of the API, made from the table of routes, the resources and the tree of errors.

Nothing is described here a second time: a new route, parameter, field of an object, type of event or code of
an error appears by itself.

Source: OpenAPI Specification 3.1.1.
"""

from collections.abc import Sequence

from fastpay import __version__
from fastpay.api.openapi import examples, failures, operations
from fastpay.api.openapi.descriptions import explained
from fastpay.api.openapi.objects import Objects
from fastpay.api.openapi.operations import Operations
from fastpay.api.openapi.parameters import Parameters
from fastpay.api.openapi.schemas import Schema, constant, reference
from fastpay.api.resource import Resources
from fastpay.api.resources.events.shape import EVENT
from fastpay.api.routes import Route
from fastpay.domain import events

VERSION = "3.1.1"

_INTRODUCTION = """A self-hosted payment API that speaks the dialect of the Stripe SDKs.

- Bodies are JSON or forms with the same names (`card[number]=4242...`).
- Amounts are whole numbers in the smallest unit of the currency, and times are seconds since 1970.
- An empty text or null unsets what can be unset.
- `expand[]` shows the objects that an answer names. `x-expandableFields` has the fields of each object.
- A POST with an `Idempotency-Key` can be sent again, and happens once.
"""
_SCHEMES: dict[str, Schema] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "A secret key: `sk_test_...`"},
    "basic": {"type": "http", "scheme": "basic", "description": "The key is the user. There is no password."},
    "publishable": {
        "type": "apiKey",
        "in": "query",
        "name": "key",
        "description": "A publishable key, for what a client secret protects: `pk_test_...`",
    },
}


def make(routes: Sequence[Route], resources: Resources) -> Schema:
    """Return the document."""
    schemas: dict[str, Schema] = {}
    objects = Objects(schemas, resources)
    described = Operations(objects, Parameters(schemas), {(route.method, route.path) for route in routes})
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = described.describe(route)
    schemas |= failures.schemas({name: reference(name) for name in _SHOWN_IN_ERRORS})
    return {
        "openapi": VERSION,
        "info": {
            "title": "fastpay",
            "version": __version__,
            "description": _INTRODUCTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in dict.fromkeys(map(operations.tag_of, routes))],
        "paths": paths,
        "webhooks": {name: _webhook(name, objects) for name in sorted(events.TYPES)},
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "responses": failures.responses(),
            "parameters": operations.HEADERS,
            "securitySchemes": _SCHEMES,
        },
    }


_SHOWN_IN_ERRORS = ("payment_intent", "payment_method", "setup_intent")


def _webhook(event_type: str, objects: Objects) -> Schema:
    """Return what is delivered when an event of a type happens."""
    shown = objects.of_event(event_type)
    data = {} if shown is None else {"properties": {"object": objects.shown(shown)}}
    example = {**examples.answer(EVENT), "type": event_type}
    if shown is not None:
        example["data"] = {"object": examples.answer(shown)}
    particular: Schema = {"properties": {"type": constant(event_type), "data": data}}
    event: Schema = {"allOf": [reference("event"), explained(particular, "event")]}
    body = {"schema": event, "example": example}
    return {
        "post": {
            "operationId": "on_" + event_type.replace(".", "_"),
            "summary": event_type,
            "parameters": operations.headers_of_deliveries(),
            "requestBody": {"required": True, "content": {"application/json": body}},
            "responses": {"2XX": {"description": "Received."}},
        }
    }
