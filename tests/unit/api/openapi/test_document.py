"""The document has everything that the tables have, and nothing else."""

import ast
import json
from collections.abc import Iterator
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import RESOURCES, ROUTES
from fastpay.api.decoding import decode_params
from fastpay.api.layout import Json, Nested, Page, Shape, Slot, When
from fastpay.api.openapi import examples
from fastpay.api.resource import Included, Reference, Resource, Sublist
from fastpay.api.routes import Route
from fastpay.clock import SystemClock
from fastpay.domain import cards, events
from fastpay.errors import CODES, DECLINE_CODES, FastpayError
from fastpay.outbound.webhooks import WebhookDeliverer
from tests.support import tree
from tests.support.description import described, faults, problems, strict
from tests.unit.outbound.receivers import LOCAL, delivery, receiving, target

DOCUMENT = described()
SCHEMAS = DOCUMENT["components"]["schemas"]


def operation(route: Route) -> Any:
    return DOCUMENT["paths"][route.path][route.method.lower()]


def resolved(schema: Any) -> Any:
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def alternatives(schema: Any) -> Iterator[Any]:
    """Yield a schema, or what any of it allows, resolved."""
    schema = resolved(schema)
    for part in schema.get("anyOf", ()):
        yield from alternatives(part)
    if "anyOf" not in schema:
        yield schema


def test_the_document_is_valid_openapi() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_each_route_is_an_operation_and_nothing_else_is() -> None:
    found = {
        (method.upper(), path) for path, operations in DOCUMENT["paths"].items() for method in operations
    }
    assert found == {(route.method, route.path) for route in ROUTES}
    names = [operation(route)["operationId"] for route in ROUTES]
    assert len(set(names)) == len(names)
    assert "payment_intents_capture" in names


def accepted_names(accepted: Accepted, path: str = "") -> Iterator[str]:
    """Yield every parameter that a type accepts, down to values."""
    fields = accepted.fields or (accepted.elements.fields if accepted.elements else None)
    if fields is None:
        yield path
        return
    if accepted.fields and (accepted.integer or accepted.text):
        yield path
    for name, inner in fields.items():
        yield from accepted_names(inner, f"{path}.{name}" if path else name)


def described_names(schema: Any, path: str = "") -> Iterator[str]:
    """Yield every property that a schema of a body has, down to values."""
    inner = [part for part in alternatives(schema) if part.get("properties")]
    for part in alternatives(schema):
        if part.get("type") == "array":
            inner += [item for item in alternatives(part["items"]) if item.get("properties")]
    if not inner:
        yield path
    for part in inner:
        assert part["additionalProperties"] is False, path
        for name, below in part["properties"].items():
            yield from described_names(below, f"{path}.{name}" if path else name)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_each_parameter_is_described_and_nothing_else_is(route: Route) -> None:
    accepted = accepted_by(route.endpoint.contract.params)
    if route.method == "POST":
        content = operation(route)["requestBody"]["content"]
        assert content.keys() == {"application/json", "application/x-www-form-urlencoded"}
        for media_type in content.values():
            assert sorted(described_names(media_type["schema"])) == sorted(accepted_names(accepted))
            assert resolved(media_type["schema"]).get("required", []) == list(accepted.required)
    else:
        sent = [one for one in operation(route)["parameters"] if one.get("in") == "query"]
        names = [one["name"].removesuffix("[]").replace("[", ".").rstrip("]") for one in sent]
        assert sorted(names) == sorted(accepted_names(accepted))
        assert [one["name"] for one in sent if one.get("required")] == list(accepted.required)


async def test_each_webhook_has_the_headers_that_a_delivery_has() -> None:
    async with receiving() as receiver:
        made = delivery(target(f"{receiver.url}/"))._replace(event_id="evt_" + "0" * 32)
        deliverer = WebhookDeliverer(LOCAL, clock=SystemClock())
        await deliverer.deliver(made)
        await deliverer.close()
    sent_headers = receiver.headers()
    plain = {"host", "content-type", "content-length", "user-agent", "accept", "accept-encoding"}
    for name, said in DOCUMENT["webhooks"].items():
        headers = {one["name"].lower(): one for one in map(parameter, said["post"]["parameters"])}
        assert headers.keys() == sent_headers.keys() - plain, name
        for header, one in headers.items():
            text = sent_headers[header]
            value = int(text) if one["schema"]["type"] == "integer" else text
            assert problems(one["schema"], value) == [], header
        assert all(one["in"] == "header" and one["required"] for one in headers.values())


def sent(said: Any) -> list[Any]:
    return [parameter(one) for one in said["parameters"]]


def parameter(one: Any) -> Any:
    return DOCUMENT["components"]["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one


def opaque_names(shape: Shape, path: str = "") -> Iterator[str]:
    """Yield the keys of a shape that hold what no shape describes."""
    match shape:
        case dict():
            for name, inner in shape.items():
                yield from opaque_names(inner, f"{path}.{name}" if path else name)
        case When():
            yield from (*opaque_names(shape.then, path), *opaque_names(shape.otherwise, path))
        case Nested():
            yield from opaque_names(shape.shape, path)
        case Json() | Slot(filled=type() | Page()):
            yield path


def shown_names(shape: Shape, path: str = "") -> Iterator[str]:
    """Yield every key of a shape."""
    match shape:
        case dict():
            for name, inner in shape.items():
                here = f"{path}.{name}" if path else name
                yield here
                yield from shown_names(inner, here)
        case list():
            for inner in shape:
                yield from shown_names(inner, path)
        case When() if shape.whole is not None:
            yield from shown_names(shape.whole, path)
        case When():
            yield from shown_names(shape.then, path)
            yield from shown_names(shape.otherwise, path)
        case Nested():
            yield from shown_names(shape.shape, path)


def schema_names(schema: Any, skipped: frozenset[str], path: str = "") -> Iterator[str]:
    """Yield every property of a schema of an object, without what is expanded and what is skipped."""
    if path in skipped:
        return
    for part in schema.get("anyOf", [schema]):
        items = part.get("items", {})
        for inner in [part, *items.get("anyOf", [items])]:
            for name, below in inner.get("properties", {}).items():
                here = f"{path}.{name}" if path else name
                yield here
                yield from schema_names(below, skipped, here)


@pytest.mark.parametrize(
    "resource", [one for one in RESOURCES if one.shape is not None], ids=lambda one: one.kind.prefix
)
def test_each_field_of_an_object_is_described_and_nothing_else_is(resource: Resource) -> None:
    asked_for = [
        path
        for path, field in resource.expandable.items()
        if isinstance(field, Sublist) or (isinstance(field, Reference) and field.is_view)
    ]
    # With the parts of the object that are there for such fields alone.
    added = {*asked_for, *(path.partition(".")[0] for path in asked_for)}
    # What is JSON already, and pages of objects, are described by their types and not by the shape.
    opaque = frozenset(opaque_names(resource.shape))
    name = examples.answer(resource)["object"]
    others = (f"{name}_{label}" for label in ("deleted", "sepa_debit", "customer_balance", "rules"))
    variants = [one for one in others if one in SCHEMAS] if isinstance(resource.shape, When) else []
    schemas = [SCHEMAS[one] for one in (name, *variants)]
    found = {path for schema in schemas for path in schema_names(schema, opaque | added)} | opaque
    inside = {path for path in shown_names(resource.shape) if path.rpartition(".")[0] in opaque}
    assert found | added == set(shown_names(resource.shape)) - inside | added


@pytest.mark.parametrize("resource", list(RESOURCES), ids=lambda one: one.kind.prefix)
def test_what_can_be_expanded_is_described(resource: Resource) -> None:
    name = examples.answer(resource)["object"]
    assert SCHEMAS[name].get("x-expandableFields", []) == list(resource.expandable)
    for path, field in resource.expandable.items():
        schema = SCHEMAS[name]
        for piece in path.split("."):
            parts = [part for part in alternatives(schema) if piece in part.get("properties", {})]
            schema = parts[0]["properties"][piece] if parts else {}
        if isinstance(field, Included) and schema.get("type") == "array":
            schema = schema["items"]
        allowed = {part.get("properties", {}).get("object", {}).get("const") for part in alternatives(schema)}
        if field.kinds:
            kinds = (
                {"list"}
                if isinstance(field, Sublist) or (isinstance(field, Included) and "list" in allowed)
                else {examples.answer(RESOURCES.of_kind(kind))["object"] for kind in field.kinds}
            )
            assert kinds <= allowed, path


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_examples_are_as_the_document_says(route: Route) -> None:
    response = operation(route)["responses"]["200"]["content"]["application/json"]
    if "example" in response:
        assert (
            faults(route.method, route.path.replace("{", "").replace("}", ""), 200, response["example"]) == []
        )
    if route.method == "POST":
        for media_type in operation(route)["requestBody"]["content"].values():
            assert problems(media_type["schema"], media_type["example"]) == []
        body = json.dumps(media_type["example"]).encode()
        decode_params(route.endpoint.contract.params, content_type="application/json", body=body, query=b"")


def test_each_type_of_event_is_a_webhook_with_its_object() -> None:
    assert set(DOCUMENT["webhooks"]) == events.TYPES
    for name, item in DOCUMENT["webhooks"].items():
        body = item["post"]["requestBody"]["content"]["application/json"]
        assert problems(body["schema"], body["example"]) == [], name
        of_event = body["schema"]["allOf"][1]["properties"]
        assert of_event["type"]["const"] == name
        assert list(alternatives(of_event["data"]["properties"]["object"])), name


def test_each_status_of_the_errors_is_a_response() -> None:
    statuses = {str(kind.status) for kind in kinds_of(FastpayError)} - {"405"}
    responses = DOCUMENT["components"]["responses"]
    assert responses.keys() == statuses | {"error"}
    for status, response in responses.items():
        for media_type, body in response["content"].items():
            assert problems(body["schema"], body["example"]) == [], (status, media_type)
            if status != "error" and media_type == "application/problem+json":
                assert str(body["example"]["status"]) == status


def kinds_of(kind: type[FastpayError]) -> Iterator[type[FastpayError]]:
    yield kind
    for inner in kind.__subclasses__():
        if inner.__module__ == "fastpay.errors":
            yield from kinds_of(inner)


def given(name: str) -> Iterator[str]:
    """Yield the texts that the package gives to arguments of a name."""
    for text in map(tree.read, tree.under("fastpay", ".py")):
        # Few files have any, and to parse them all takes long. The formatter puts no space there.
        for node in ast.walk(ast.parse(text)) if f"{name}=" in text else ():
            if isinstance(node, ast.keyword) and node.arg == name:
                yield from texts_of(node.value)


def texts_of(node: ast.expr) -> Iterator[str]:
    """Yield the text of a constant, or those that it chooses from."""
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.IfExp():
            yield from (*texts_of(node.body), *texts_of(node.orelse))


def test_each_code_that_an_error_may_have_is_in_the_table() -> None:
    used = {kind.default_code for kind in kinds_of(FastpayError)}
    used |= {behaviour.code for behaviour in cards.BEHAVIOURS.values()}
    used |= {f"invalid_expiry_{part}" for part in ("month", "year")}
    used |= set(given("code"))
    # Codes of what a batch says of each transfer, and of what constants hold.
    said = {"linked_chain_failed", "linked_chain_open", "setup_intent_unexpected_state"}
    assert used - {None, ""} | said == CODES.keys()
    declines = {behaviour.decline_code for behaviour in cards.BEHAVIOURS.values()} - {None}
    assert declines | set(given("decline_code")) == DECLINE_CODES.keys()


def test_a_value_that_the_document_does_not_allow_is_found() -> None:
    example = examples.answer(RESOURCES.named("ch_1"))  # type: ignore[arg-type]
    path = "/v1/charges/ch_1"
    assert faults("GET", path, 200, example) == []
    assert faults("GET", path, 200, {**example, "amount": "5"}) != []
    assert faults("GET", path, 200, {**example, "more": 5}) != []
    assert faults("GET", path, 200, {name: example[name] for name in example if name != "amount"}) != []
    assert faults("GET", path, 418, example) != []
    assert strict() != DOCUMENT
