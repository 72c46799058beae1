"""The list of rules that choose among processors, as operators write it: TOML with a table for each rule."""

import json
from collections.abc import Sequence

import msgspec

from fastpay.domain.routing import Rule
from fastpay.errors import ConfigurationError


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rule: tuple[Rule, ...] = ()


def parse_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a text, the first one first. Raises: ConfigurationError."""
    try:
        return msgspec.toml.decode(text.encode(), type=_Rules).rule
    except msgspec.MsgspecError as error:
        raise ConfigurationError(f"the rules cannot be read: {error}") from error


def render_rules(rules: Sequence[Rule]) -> str:
    """Return the text of rules. A list of texts is written alike in JSON and in TOML."""
    tables = []
    for rule in rules:
        values = msgspec.to_builtins(rule)
        tables.append("\n".join(["[[rule]]", *(f"{name} = {json.dumps(values[name])}" for name in values)]))
    return "\n\n".join(tables) + "\n" if tables else ""
