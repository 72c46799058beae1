"""Compares the answers of both sides to one request: the status, and the body as JSON. Pure.

A place in a body is a path: `data[].amount` is a field of each element of a list. What clients name
themselves (metadata) is `*`, so that there are as many paths as the API has fields.

| class     | what differs                                                   | may be learned as noise |
|-----------|----------------------------------------------------------------|-------------------------|
| `status`  | the status; bodies are not compared then                       | no                      |
| `money`   | an amount, a currency or a balance, its type included          | no                      |
| `missing` | fastpay lacks a field or an element                            | yes                     |
| `added`   | only fastpay has it                                            | yes                     |
| `type`    | the type of a value                                            | yes                     |
| `order`   | the order of a list, and nothing else of it                    | yes                     |
| `value`   | any other value                                                | yes                     |

A rule hides a difference; what it hides is counted by rule (`rules.py`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from fastpay import limits

Kind = Literal["status", "money", "missing", "added", "type", "order", "value", "event", "posting"]
# Elements of two lists in pairs, and those that only one side has.
_Paired = tuple[list[tuple[Any, Any]], list[Any], list[Any]]
# Where there is nothing on one side.
NOTHING = msgspec.UNSET
BODY = "(body)"

_MONEY = frozenset(("balance", "currency", "fee", "net", "settlement_currency", "total"))
_TEXTS_OF_CLIENTS = frozenset(("metadata",))
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}", re.ASCII)
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}", re.ASCII)
# An identifier alone, or in a client secret or an address.
_IDENTIFIER = re.compile(r"\b([a-z]{2,8})_(?:test_|live_)?[0-9A-Za-z]{8,}(?:_secret_[0-9A-Za-z]+)?", re.ASCII)


class Shown(msgspec.Struct, frozen=True):
    """What one side answers."""

    status: int
    body: bytes


class Difference(msgspec.Struct, frozen=True):
    """What differs in one place. A side has NOTHING where it lacks the place."""

    kind: Kind
    path: str
    legacy: Any = NOTHING
    fastpay: Any = NOTHING

    @property
    def name(self) -> str:
        """What it is counted under."""
        return f"{self.kind} {self.path}"


class Lens(Protocol):
    """What is taken for equal. Each method returns the name of the rule that says so, None without one."""

    def ignores(self, path: str) -> str | None:
        """Tell whether a place does not count, whatever is there."""

    def identifies(self, path: str) -> str | None:
        """Tell whether identifiers may differ, in all but their prefix."""

    def times(self, path: str) -> str | None:
        """Tell whether two times may differ."""

    def reorders(self, path: str) -> str | None:
        """Tell whether the order of a list does not count."""

    def hides(self, difference: Difference) -> str | None:
        """Tell whether a difference is noise."""


class Comparison:
    """What differs, and how many differences each rule has hidden."""

    def __init__(self, lens: Lens) -> None:
        self.differences: list[Difference] = []
        self.hidden: Counter[str] = Counter()
        self._lens = lens
        self._values_left = limits.comparison_values_max

    def answers(self, legacy: Shown, fastpay: Shown) -> "Comparison":
        """Compare two answers; return this."""
        if legacy.status != fastpay.status:
            self._found(Difference("status", "(status)", legacy.status, fastpay.status))
            return self
        if legacy.body == fastpay.body:
            return self
        try:
            both = [msgspec.json.decode(one.body) for one in (legacy, fastpay)]
        except (msgspec.DecodeError, RecursionError):
            self._found(Difference("value", BODY))
            return self
        self._values("", *both)
        return self

    def add(self, difference: Difference) -> None:
        """Add what was compared in another way."""
        self._found(difference)

    def _found(self, difference: Difference) -> None:
        rule = self._lens.hides(difference)
        if rule is not None:
            self.hidden[rule] += 1
        elif len(self.differences) < limits.comparison_differences_max:
            self.differences.append(difference)

    def _values(self, path: str, legacy: Any, fastpay: Any) -> None:
        self._values_left -= 1
        if self._values_left < 0:
            # Never equal because it was too much to look at.
            self._found(Difference("value", BODY))
            return
        # Not of containers, in which Python takes 1, 1.0 and True for equal.
        if type(legacy) is type(fastpay) and legacy == fastpay and not isinstance(legacy, dict | list):
            return
        rule = self._lens.ignores(path)
        if rule is not None:
            self.hidden[rule] += 1
        elif isinstance(legacy, dict) and isinstance(fastpay, dict):
            self._objects(path, legacy, fastpay)
        elif isinstance(legacy, list) and isinstance(fastpay, list):
            self._lists(path, legacy, fastpay)
        else:
            self._leaves(path, legacy, fastpay)

    def _objects(self, path: str, legacy: Mapping[str, Any], fastpay: Mapping[str, Any]) -> None:
        for key in [*legacy, *(key for key in fastpay if key not in legacy)]:
            inner = inside(path, key)
            if key in legacy and key in fastpay:
                self._values(inner, legacy[key], fastpay[key])
            elif key in legacy:
                self._one_sided("missing", inner, legacy[key], NOTHING)
            else:
                self._one_sided("added", inner, NOTHING, fastpay[key])

    def _lists(self, path: str, legacy: Sequence[Any], fastpay: Sequence[Any]) -> None:
        inner = path + "[]"
        if self._forms(inner, legacy) == self._forms(inner, fastpay):
            pairs, lost, added = _side_by_side(legacy, fastpay)
        else:
            pairs, lost, added = self._pair(inner, legacy, fastpay)
            rule = self._lens.reorders(path)
            if rule is not None:
                self.hidden[rule] += 1
            elif not lost and not added and all(self._is_same(inner, *pair) for pair in pairs):
                self._found(Difference("order", path, legacy, fastpay))
                return
            else:
                pairs, lost, added = _side_by_side(legacy, fastpay)
        for one, other in pairs:
            self._values(inner, one, other)
        for value in lost:
            self._one_sided("missing", inner, value, NOTHING)
        for value in added:
            self._one_sided("added", inner, NOTHING, value)

    def _pair(self, path: str, legacy: Sequence[Any], fastpay: Sequence[Any]) -> _Paired:
        """Pair elements that are the same, then the others in their order; return what is left over too."""
        waiting: dict[bytes, list[Any]] = {}
        for form, value in zip(self._forms(path, fastpay), fastpay, strict=True):
            waiting.setdefault(form, []).append(value)
        pairs: list[tuple[Any, Any]] = []
        lost: list[Any] = []
        for form, value in zip(self._forms(path, legacy), legacy, strict=True):
            same = waiting.get(form)
            if same:
                pairs.append((value, same.pop(0)))
            else:
                lost.append(value)
        added = [value for values in waiting.values() for value in values]
        rest, lost, added = _side_by_side(lost, added)
        return [*pairs, *rest], lost, added

    def _leaves(self, path: str, legacy: Any, fastpay: Any) -> None:
        rule = self._rule_of_leaves(path, legacy, fastpay)
        if rule is not None:
            self.hidden[rule] += 1
            return
        kind: Kind = "value" if type(legacy) is type(fastpay) else "type"
        self._found(Difference("money" if is_money(path) else kind, path, legacy, fastpay))

    def _rule_of_leaves(self, path: str, legacy: Any, fastpay: Any) -> str | None:
        if isinstance(legacy, str) and isinstance(fastpay, str):
            rule = self._lens.identifies(path)
            if rule is not None and _without_identifiers(legacy) == _without_identifiers(fastpay):
                return rule
        return self._lens.times(path) if _is_time(legacy) and _is_time(fastpay) else None

    def _one_sided(self, kind: Kind, path: str, legacy: Any, fastpay: Any) -> None:
        rule = self._lens.ignores(path)
        if rule is not None:
            self.hidden[rule] += 1
        else:
            self._found(Difference(kind, path, legacy, fastpay))

    def _forms(self, path: str, values: Iterable[Any]) -> list[bytes]:
        return [msgspec.json.encode(self._form(path, value), order="sorted") for value in values]

    def _is_same(self, path: str, one: Any, other: Any) -> bool:
        first, second = self._forms(path, (one, other))
        return first == second

    def _form(self, path: str, value: Any) -> Any:
        """Return a value without what rules hide in it, so that elements of lists find each other."""
        if self._lens.ignores(path) or self._lens.hides(Difference("value", path)):
            return None
        if isinstance(value, dict):
            return {key: self._form(inside(path, key), inner) for key, inner in value.items()}
        if isinstance(value, list):
            forms = [self._form(path + "[]", inner) for inner in value]
            return sorted(map(msgspec.json.encode, forms)) if self._lens.reorders(path) else forms
        if isinstance(value, str) and self._lens.identifies(path):
            return _without_identifiers(value)
        return None if _is_time(value) and self._lens.times(path) else value


def compare(legacy: Shown, fastpay: Shown, lens: Lens) -> Comparison:
    """Compare two answers to one request."""
    return Comparison(lens).answers(legacy, fastpay)


def inside(path: str, key: str) -> str:
    """Return the path of a field."""
    inner = path.rpartition(".")[2].removesuffix("[]")
    shown = key if inner not in _TEXTS_OF_CLIENTS and _NAME.fullmatch(key) else "*"
    return f"{path}.{shown}" if path else shown


def is_money(path: str) -> bool:
    """Tell whether an amount or a currency is at a path."""
    if "metadata" in path:
        return False
    name = path.rpartition(".")[2].removesuffix("[]")
    return name in _MONEY or name.startswith("amount")


def _side_by_side(legacy: Sequence[Any], fastpay: Sequence[Any]) -> _Paired:
    both = min(len(legacy), len(fastpay))
    pairs = list(zip(legacy[:both], fastpay[:both], strict=True))
    return pairs, list(legacy[both:]), list(fastpay[both:])


def _without_identifiers(text: str) -> str:
    return _IDENTIFIER.sub(r"\1_", text)


def _is_time(value: Any) -> bool:
    """Tell whether a value may be a time: seconds or milliseconds since 1970, or a text of ISO 8601."""
    if type(value) is int:
        return value >= limits.comparison_time_min
    return isinstance(value, str) and _TIME.match(value) is not None
