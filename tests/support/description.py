"""The OpenAPI document as a test uses it: whether an answer of the server is as it says."""

import copy
import functools
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from fastpay.api.app import RESOURCES, ROUTES
from fastpay.api.openapi import document

_BASE = "urn:fastpay"


@functools.cache
def described() -> Any:
    """Return the document."""
    return document.make(ROUTES, RESOURCES)


@functools.cache
def strict() -> Any:
    """Return the document as it is today: nothing that it does not name, no codes that it does not list.

    Clients must accept both, so the document itself allows them.
    """
    closed = copy.deepcopy(described())
    _close(closed["components"]["schemas"])
    _close(closed["paths"])
    return closed


def faults(
    method: str, path: str, status: int, body: Any, *, media_type: str = "application/json"
) -> list[str]:
    """Return what an answer has that the document does not say, or lacks: "path: why" each."""
    template = template_of(method, path)
    if template is None:
        return []
    operation = strict()["paths"][template][method.lower()]
    response = operation["responses"].get(str(status))
    if response is None:
        return [f"{method} {template} does not say that it answers {status}"]
    if "$ref" in response:
        response = strict()["components"]["responses"][response["$ref"].rpartition("/")[2]]
    return problems(response["content"][media_type]["schema"], body)


def problems(schema: Any, value: Any) -> list[str]:
    """Return what is wrong with a value, by a schema of the document."""
    return [
        f"{error.json_path}: {error.message[:300]}"
        for error in _validator(_frozen(schema)).iter_errors(value)
    ]


def check_answer(answer: httpx.Response) -> None:
    """Hold an answer to the document: as a hook of a client it looks at all of them."""
    answer.read()
    request, media_type = answer.request, answer.headers.get("content-type", "").partition(";")[0]
    if media_type in {"application/json", "application/problem+json"} and answer.content:
        path, body = request.url.path, answer.json()
        found = faults(request.method, path, answer.status_code, body, media_type=media_type)
        assert found == [], (request.method, path, found)


CHECKED: dict[str, Any] = {"event_hooks": {"response": [check_answer]}}


@functools.cache
def template_of(method: str, path: str) -> str | None:
    """Return the path of the document that a path of a request is, the first that fits; None for none."""
    for template, operations in described()["paths"].items():
        pattern = re.sub(r"\{[a-z_]+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in operations:
            return str(template)
    return None


class _Frozen:
    """A schema as a key of a cache."""

    def __init__(self, schema: Any) -> None:
        self.schema = schema

    def __hash__(self) -> int:
        return id(self.schema)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and other.schema is self.schema


_frozen = _Frozen


@functools.cache
def _validator(frozen: _Frozen) -> Validator:
    schema = copy.deepcopy(frozen.schema)
    _rebase(schema)
    return Draft202012Validator(schema, registry=_registry())


@functools.cache
def _registry() -> Any:
    contents = {"$id": _BASE, "components": strict()["components"]}
    return Registry().with_resource(_BASE, Resource.from_contents(contents, DRAFT202012))


def _rebase(schema: Any) -> None:
    """Let references lead into the document."""
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _rebase(value)
    if isinstance(schema, dict) and isinstance(schema.get("$ref"), str):
        schema["$ref"] = _BASE + schema["$ref"]


def _close(schema: Any) -> None:
    for value in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _close(value)
    if isinstance(schema, dict) and isinstance(schema.get("properties"), dict) and "required" in schema:
        schema.setdefault("additionalProperties", False)
    if isinstance(schema, dict) and isinstance(schema.get("x-codes"), dict):
        schema["enum"] = list(schema["x-codes"])
