"""What may be kept of a request: an allow-list, so that whatever is not known to be harmless is left out.

| kept                          | if                                                                        |
|-------------------------------|---------------------------------------------------------------------------|
| the name of a parameter       | the params type has it                                                    |
| an integer                    | the parameter is one, and it is too short for a card number               |
| a boolean, null, an empty text| always                                                                    |
| a text                        | it is a literal of the params type, or an identifier that fastpay makes;  |
|                               | or letters alone, for parameters whose values are words of the API        |
| what is inside of a card or a | never, and nor is a map of texts (metadata)                               |
| bank account                  |                                                                           |
| a segment of a path           | it is a word in small letters, or an identifier                           |
| a message                     | what it quotes from the request is replaced                               |

A card number, a security code, a client secret or an API key is none of these, wherever a client puts it.
"""

import re
from collections.abc import Mapping
from typing import Any

from fastpay import limits
from fastpay.api.accepted_values import Accepted
from fastpay.api.common_params import Part
from fastpay.domain.identifiers import is_well_formed, prefix_of
from fastpay.domain.kinds import KINDS

REDACTED = "[redacted]"

_BOOLEANS = {"true": True, "false": False, "True": True, "False": False}
_INTEGER = re.compile(r"-?[0-9]{1,12}", re.ASCII)
# Test cards have no digits in their names.
_TEST_NAME = re.compile(r"(?:pm|tok|btok|src)_[A-Za-z_]{1,80}", re.ASCII)
_INDEX = re.compile(r"[0-9]{1,2}", re.ASCII)
_REQUEST = re.compile(r"req_[0-9a-f]{24}", re.ASCII)
# Parameters whose values are words of the API.
_WORD_NAMES = frozenset(("country", "currency", "enabled_events", "expand", "type", "types"))
_WORD = re.compile(r"[A-Za-z_.*]{1,100}", re.ASCII)
_SEGMENT = re.compile(r"[a-z_]{1,40}|v1|", re.ASCII)
_SEGMENTS_MAX = 8
_NAME = re.compile(r"[^\[\]]+")
# The names of identifiers in paths.
_PATH_NAMES = frozenset(kind.param for kind in KINDS.values())
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|'.*|\".*", re.DOTALL)
_AGENT = re.compile(
    r"(?<![\w.-])[A-Za-z][A-Za-z-]{0,30}/v?[0-9]{1,3}(?:\.[0-9]{1,3}){0,2}(?![\w.-])", re.ASCII
)
_AGENTS_MAX = 3


def parameters(accepted: Accepted, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be kept of a tree of parameters, as it was sent, valid or not."""
    return _fields(accepted, tree)


def name(accepted: Accepted | None, param: str) -> str:
    """Return the name of a parameter, such as `card[number]`, up to the first part that the client chose."""
    shown, inside = "", accepted
    for part in _NAME.findall(param):
        if inside is not None and inside.fields is not None and part in inside.fields:
            inside = inside.fields[part]
        elif inside is not None and inside.elements is not None and _INDEX.fullmatch(part) is not None:
            inside = inside.elements
        elif not shown and part in _PATH_NAMES:
            inside = None
        else:
            break
        shown += f"[{part}]" if shown else part
    return shown or REDACTED


def path(sent: str) -> str:
    """Return a path, with something else in place of what the client chose."""
    segments = sent.split("/", _SEGMENTS_MAX)
    return "/".join(
        segment if _SEGMENT.fullmatch(segment) or is_identifier(segment) else REDACTED for segment in segments
    )


def message(text: str) -> str | None:
    """Return the message of an error without what it quotes, None if all of it may be quoted."""
    if text.startswith("Received "):
        return None
    kept = _QUOTED.sub(_quote, text)
    # A quote that the client wrote may end what is quoted early: then numbers may be the client's, too.
    with_numbers = "'" not in text and '"' not in text
    words = [word if _is_spoken(word, with_numbers) else REDACTED for word in kept.split(" ")]
    shown = " ".join(words)[: limits.request_log_text_chars_max]
    # Neither a log line nor PostgreSQL takes these.
    return shown.replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def user_agent(sent: str) -> str | None:
    """Return the products of a User-Agent header with their versions."""
    products = _AGENT.findall(sent[: limits.request_log_text_chars_max])
    return " ".join(products[:_AGENTS_MAX]) or None


def is_identifier(text: str) -> bool:
    """Tell whether a text is an identifier that fastpay makes, or the name of a test card."""
    prefix = prefix_of(text)
    if prefix in KINDS:
        return is_well_formed(text, prefix) or _TEST_NAME.fullmatch(text) is not None
    return _REQUEST.fullmatch(text) is not None


def _fields(accepted: Accepted, tree: Mapping[str, Any]) -> dict[str, Any]:
    fields = accepted.fields
    assert fields is not None
    return {key: _value(fields[key], value, key) for key, value in tree.items() if key in fields}


def _value(accepted: Accepted, value: Any, key: str) -> Any:
    match value:
        case None | "" | True | False:
            return value
        case int():
            return (
                value if _is_integer(accepted) and abs(value) < limits.request_log_integer_max else REDACTED
            )
        case str():
            return _text(accepted, value, key)
        case dict():
            return _object(accepted, value, key)
        case list():
            return _elements(accepted, value, key)
        case _:
            return REDACTED


def _text(accepted: Accepted, text: str, key: str) -> Any:
    if text in accepted.texts or is_identifier(text):
        return text
    if accepted.boolean and text in _BOOLEANS:
        return _BOOLEANS[text]
    if _is_integer(accepted) and _INTEGER.fullmatch(text) is not None:
        return int(text)
    return text if key in _WORD_NAMES and _WORD.fullmatch(text) is not None else REDACTED


def _object(accepted: Accepted, value: Mapping[str, Any], key: str) -> Any:
    if accepted.fields is not None:
        struct_type = accepted.struct_type
        if struct_type is not None and issubclass(struct_type, Part) and struct_type.is_forgotten:
            return REDACTED
        return _fields(accepted, value)
    if accepted.elements is not None:
        # A form numbers the elements of a list.
        return _elements(accepted, list(value.values()), key)
    return REDACTED


def _elements(accepted: Accepted, values: list[Any], key: str) -> Any:
    if accepted.elements is None or len(values) > limits.request_log_elements_max:
        return REDACTED
    return [_value(accepted.elements, value, key) for value in values]


def _is_integer(accepted: Accepted) -> bool:
    return accepted.integer is not None or bool(accepted.integers)


def _quote(found: "re.Match[str]") -> str:
    quoted = found[0][1:-1]
    return found[0] if _WORD.fullmatch(quoted) or is_identifier(quoted) else f"'{REDACTED}'"


def _is_spoken(word: str, with_numbers: bool) -> bool:
    """Tell whether a word of a message has no digits, is an identifier, or a short number."""
    if not any(sign.isdigit() for sign in word):
        return True
    bare = word.strip(".,:;()'\"")
    if with_numbers and _INTEGER.fullmatch(bare.replace(",", "")) is not None:
        return True
    return is_identifier(bare)
