"""Errors as the document describes them: a response for each status in the tree of errors."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus

from fastpay.api.errors import JSON_TYPE, PROBLEM_TYPE, error_body, problem_body
from fastpay.api.openapi.descriptions import explained
from fastpay.api.openapi.schemas import INTEGER, STRING, Schema, reference, union
from fastpay.errors import (
    CODES,
    DECLINE_CODES,
    BodyTooLarge,
    CardDeclined,
    FastpayError,
    InvalidRequest,
    MethodNotAllowed,
    UnknownRoute,
    UnsupportedMediaType,
)

_DEFAULT = "error"
# These are about paths that are not in the document.
_NOT_DESCRIBED = (MethodNotAllowed, UnknownRoute)
_ABOUT_BODIES = frozenset((BodyTooLarge.status, UnsupportedMediaType.status))
_DECLINED = CardDeclined("Your card was declined.", decline_code="generic_decline")


def schemas(objects: Mapping[str, Schema]) -> dict[str, Schema]:
    """Return the schemas of an error, and of one as problem details. `objects` are what an error may show."""
    texts = ("charge", "doc_url", "param", "request_log_url")
    codes = {"code": _codes(CODES), "decline_code": _codes(DECLINE_CODES)}
    content: Schema = {
        "type": "object",
        "properties": {**codes, "message": STRING, "type": _types()}
        | dict.fromkeys(texts, STRING)
        | dict(objects),
        "required": ["message", "type"],
    }
    problem: Schema = {
        "type": "object",
        "description": "RFC 9457, for clients that accept it.",
        "properties": {**codes, "status": INTEGER}
        | dict.fromkeys(("type", "title", "detail", "instance", "param"), STRING),
        "required": ["type", "title", "status", "detail"],
    }
    error: Schema = {"type": "object", "properties": {"error": content}, "required": ["error"]}
    return {name: explained(schema, name) for name, schema in {"error": error, "problem": problem}.items()}


def responses() -> dict[str, Schema]:
    """Return a response for each status, and one for what the transport refuses."""
    tree: dict[int, list[str]] = {}
    shown: dict[int, FastpayError] = {_DECLINED.status: _DECLINED}
    for kind in _kinds(FastpayError):
        if kind not in _NOT_DESCRIBED:
            doc = (kind.__doc__ or "").partition("\n\n")[0]
            code = "" if kind.default_code is None else f" (`{kind.default_code}`)"
            tree.setdefault(kind.status, []).append(f"- {doc.removesuffix('.')}{code}.")
            shown.setdefault(kind.status, kind(doc))
    transport = "The request was refused before it was read as one of this API: docs/HTTP.md says why."
    return {
        **{
            str(status): _response(f"{HTTPStatus(status).phrase}.\n\n" + "\n".join(lines), shown[status])
            for status, lines in sorted(tree.items())
        },
        _DEFAULT: _response(transport, InvalidRequest("The request is not valid HTTP.")),
    }


def answers(method: str) -> dict[str, Schema]:
    """Return references to the responses of an operation."""
    statuses = {kind.status for kind in _kinds(FastpayError) if kind not in _NOT_DESCRIBED}
    if method == "GET":
        statuses -= {CardDeclined.status, *_ABOUT_BODIES}
    found = {str(status): _reference(str(status)) for status in sorted(statuses)}
    return {**found, "default": _reference(_DEFAULT)}


def _kinds(kind: type[FastpayError]) -> Iterator[type[FastpayError]]:
    # Those of other modules are for operators, and there only once somebody has imported them.
    if kind.__module__ == FastpayError.__module__:
        yield kind
    for inner in kind.__subclasses__():
        yield from _kinds(inner)


def _types() -> Schema:
    names = dict.fromkeys(kind.type for kind in _kinds(FastpayError))
    return union(*({"type": "string", "const": name} for name in names))


def _response(description: str, example: FastpayError) -> Schema:
    # Each has an example: the page would make its own from the schema, of every object that can be expanded.
    content: Schema = {
        JSON_TYPE: {"schema": reference("error"), "example": error_body(example, request_log_url=None)},
        PROBLEM_TYPE: {"schema": reference("problem"), "example": problem_body(example, instance=None)},
    }
    return {"description": description, "content": content}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/responses/{name}"}


def _codes(meanings: Mapping[str, str]) -> Schema:
    """Return the schema of a code. Others may follow, so a client must accept any text."""
    lines = [f"- `{name}`: {meaning}" for name, meaning in meanings.items()]
    return {**STRING, "description": "\n".join(lines), "x-codes": dict(meanings)}
