"""Whatever can be read in the document says what it means, and each meaning is of something."""

from collections.abc import Iterator
from typing import Any

from fastpay.api.openapi import descriptions
from fastpay.api.openapi.fields import FIELDS
from fastpay.api.openapi.particular_fields import PARTICULAR_FIELDS
from tests.support.description import described

DOCUMENT = described()
SCHEMAS = DOCUMENT["components"]["schemas"]


def test_no_parameter_is_without_a_description() -> None:
    sent = list(parameters_within(DOCUMENT))
    assert {one["in"] for one in sent} == {"query", "path", "header"}
    assert [one["name"] for one in sent if not one.get("description")] == []


def test_no_field_of_anything_is_without_a_description() -> None:
    """Each schema, each answer and each delivery: whatever can be read in the document says what it means."""
    fields = list(fields_within(DOCUMENT, ()))
    assert len(fields) > 2_000
    assert sorted({".".join(path) for path, field in fields if not field.get("description")}) == []
    assert [name for name, header in headers_within(DOCUMENT) if not header.get("description")] == []


def test_fields_that_are_always_null_say_so() -> None:
    for path, field in fields_within(SCHEMAS, ()):
        is_said = field["description"].endswith("Always null.")
        assert is_said == (field.get("type") == "null"), ".".join(path)


def fields_within(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all properties with their paths, which begin with the name of a schema, at any depth."""
    if isinstance(schema, list):
        for inner in schema:
            yield from fields_within(inner, path)
    elif isinstance(schema, dict):
        for key, inner in schema.items():
            if key == "properties":
                for name, field in inner.items():
                    yield (*path, name), field
                    yield from fields_within(field, (*path, name))
            elif key not in ("example", "examples", "x-codes"):
                is_name = schema is SCHEMAS or (schema is DOCUMENT["webhooks"] and key not in path)
                yield from fields_within(inner, (*path, key) if is_name else path)


def headers_within(schema: Any) -> Iterator[tuple[str, Any]]:
    """Yield all headers of answers."""
    if isinstance(schema, list):
        for inner in schema:
            yield from headers_within(inner)
    elif isinstance(schema, dict):
        for key, inner in schema.items():
            if key == "headers" and "content" in schema:
                yield from inner.items()
            elif key not in ("example", "properties"):
                yield from headers_within(inner)


def parameters_within(schema: Any) -> Iterator[Any]:
    """Yield all parameters of paths, queries and headers."""
    if isinstance(schema, list):
        for inner in schema:
            yield from parameters_within(inner)
    elif isinstance(schema, dict):
        if {"in", "name", "schema"} <= schema.keys():
            yield schema
        for inner in schema.values():
            yield from parameters_within(inner)


def test_each_description_is_of_something() -> None:
    """A parameter that is taken away takes its description along."""
    schemas = {name: schema.get("properties", {}) for name, schema in SCHEMAS.items()}
    names = {one["name"].removesuffix("[]").partition("[")[0] for one in parameters_within(DOCUMENT)}
    names |= {name for properties in schemas.values() for name in properties}
    assert descriptions.PARAMETERS.keys() - names == set()
    assert {name for name in descriptions.PARTICULAR if name not in schemas} == set()
    for name, meanings in descriptions.PARTICULAR.items():
        assert meanings.keys() - schemas[name].keys() == set(), name
    assert FIELDS.keys() - set(tree_of_names(DOCUMENT)) == set()
    said = [field["description"] for _, field in fields_within(DOCUMENT, ())]
    unused = [
        end for end, meaning in PARTICULAR_FIELDS.items() if not any(one.startswith(meaning) for one in said)
    ]
    assert unused == []


def tree_of_names(schema: Any) -> Iterator[str]:
    """Yield the names of all properties, at any depth."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {})
        for inner in schema.values():
            yield from tree_of_names(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from tree_of_names(inner)
