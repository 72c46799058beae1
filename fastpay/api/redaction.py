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

import msgspec

from fastpay import limits
from fastpay.api.accepted_values import Accepted, accepted_by
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


class Rule:
    """What is kept of the values of one parameter: `Accepted`, reduced to that and made quick to ask.

    `fields` are those of a struct and `elements` those of a list. Of what `is_forgotten` nothing is kept.
    `words` says that the values are words of the API.
    """

    __slots__ = ("boolean", "elements", "fields", "integer", "is_forgotten", "texts", "words")

    def __init__(self) -> None:
        self.integer = self.boolean = self.words = self.is_forgotten = False
        self.texts: frozenset[str] = frozenset()
        self.fields: dict[str, Rule] | None = None
        self.elements: Rule | None = None


# Bounded by the number of params types in the program.
_rules: dict[type[msgspec.Struct], Rule] = {}


def rule_of(params_type: type[msgspec.Struct]) -> Rule:
    """Return what is kept of the parameters of a type."""
    rule = _rules.get(params_type)
    if rule is None:
        rule = _rules[params_type] = _make_rule(accepted_by(params_type), "", {})
    return rule


def parameters(rule: Rule, tree: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may be kept of a tree of parameters, as it was sent, valid or not."""
    fields = rule.fields
    assert fields is not None
    return {key: _value(fields[key], value) for key, value in tree.items() if key in fields}


def name(rule: Rule | None, param: str) -> str:
    """Return the name of a parameter, such as `card[number]`, up to the first part that the client chose."""
    shown, inside = "", rule
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
    return prefix == "req" and _REQUEST.fullmatch(text) is not None


def _make_rule(accepted: Accepted, key: str, made: dict[int, Rule]) -> Rule:
    known = made.get(id(accepted.fields)) if accepted.fields is not None else None
    if known is not None:
        # A struct may contain itself.
        return known
    rule = Rule()
    rule.boolean = accepted.boolean
    rule.integer = accepted.integer is not None or bool(accepted.integers)
    rule.texts = frozenset(accepted.texts)
    rule.words = key in _WORD_NAMES
    struct_type = accepted.struct_type
    if struct_type is not None and issubclass(struct_type, Part):
        rule.is_forgotten = struct_type.is_forgotten
    if accepted.fields is not None:
        made[id(accepted.fields)] = rule
        rule.fields = {name: _make_rule(inner, name, made) for name, inner in accepted.fields.items()}
    if accepted.elements is not None:
        rule.elements = _make_rule(accepted.elements, key, made)
    return rule


def _value(rule: Rule, value: Any) -> Any:
    kind = type(value)
    if kind is str:
        return _text(rule, value)
    if kind is dict:
        if rule.fields is not None:
            return REDACTED if rule.is_forgotten else parameters(rule, value)
        # A form numbers the elements of a list.
        return REDACTED if rule.elements is None else _elements(rule.elements, list(value.values()))
    if kind is list:
        return REDACTED if rule.elements is None else _elements(rule.elements, value)
    if value is None or kind is bool:
        return value
    is_short = kind is int and abs(value) < limits.request_log_integer_max
    return value if rule.integer and is_short else REDACTED


def _text(rule: Rule, text: str) -> Any:
    if text == "" or text in rule.texts:
        return text
    if rule.integer and _INTEGER.fullmatch(text) is not None:
        return int(text)
    if rule.boolean and text in _BOOLEANS:
        return _BOOLEANS[text]
    if rule.words and _WORD.fullmatch(text) is not None:
        return text
    return text if "_" in text and is_identifier(text) else REDACTED


def _elements(rule: Rule, values: list[Any]) -> Any:
    if len(values) > limits.request_log_elements_max:
        return REDACTED
    return [_value(rule, value) for value in values]


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
