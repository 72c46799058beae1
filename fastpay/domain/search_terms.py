"""Search terms: the numbers by which the index finds an object, and those that a query asks for.

A term is 64 bits of a digest of tenant, mode, kind, field and text. So one index serves every field of every
kind, an entry means nothing to another tenant, and the database needs no extension.

    term         means                                             made of
    is           the field has exactly this text or number         field, folded text
    has          the optional field is present                     field
    part         the text contains these three characters          field, three characters

Terms can give false positives: a text may have all trigrams of another without containing it. So
`search.matches` checks every object that the index finds.
"""

import hashlib
from collections.abc import Iterator

import msgspec

from fastpay.domain.identifiers import Scope, prefix_of
from fastpay.domain.objects import StoredObject
from fastpay.domain.search import FIELDS, Clause, Query, Searchable, fold

PART_CHARS = 3
NUMBER_MAX = 2**53

_TERM_BYTES = 8
_BETWEEN = "\x1f"


class Entry(msgspec.Struct, frozen=True, gc=False):
    """What the index stores of an object."""

    terms: tuple[int, ...]
    amount: int | None


class Conjunct(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A condition on index entries; objects of entries that meet it are examined.

    The entry has all terms of `every` and none of `none`. Amount and second of creation are within the
    bounds, inclusive.
    """

    every: tuple[int, ...] = ()
    none: tuple[int, ...] = ()
    amount_min: int = 0
    amount_max: int = NUMBER_MAX
    created_min: int = 0
    created_max: int = NUMBER_MAX

    @property
    def is_bounded_by_amount(self) -> bool:
        """Whether the amount is restricted."""
        return self.amount_min > 0 or self.amount_max < NUMBER_MAX


class Terms:
    """Makes the terms of one kind of object in one scope."""

    def __init__(self, scope: Scope, kind: str) -> None:
        self._kind = kind
        self._digest = hashlib.blake2b(digest_size=_TERM_BYTES, person=b"search")
        self._digest.update(_BETWEEN.join((scope.tenant_id, str(scope.livemode), kind)).encode())

    def entry(self, stored: StoredObject) -> Entry:
        """Return the index entry of a searchable object."""
        assert isinstance(stored, Searchable)
        assert prefix_of(stored.id) == self._kind
        terms: set[int] = set()
        amount: int | None = None
        for name, field in FIELDS[self._kind].items():
            value = field.read(stored)
            if name == "amount" and isinstance(value, int):
                amount = value
            if value is None or name == "created":
                continue
            if field.optional:
                terms.add(self._has(name))
            terms.add(self._is(name, str(value)))
            if field.type == "text":
                terms.update(self._parts(name, str(value)))
        for key, value in stored.metadata.items():
            terms.add(self._has("metadata", key))
            terms.add(self._is("metadata", value, key))
        return Entry(tuple(sorted(terms)), amount)

    def conjuncts(self, query: Query) -> tuple[Conjunct, ...]:
        """Return conditions of which each object that matches the query meets at least one."""
        found: list[Conjunct] = []
        for clauses in [(clause,) for clause in query.clauses] if query.is_any else [query.clauses]:
            conjunct = self._conjunct(clauses)
            found += [conjunct] if conjunct.every else self._alternatives(conjunct, clauses)
        return tuple(found)

    def _alternatives(self, conjunct: Conjunct, clauses: tuple[Clause, ...]) -> list[Conjunct]:
        """Split a conjunct without terms by the possible values of a negated field, if they are known."""
        for clause in clauses:
            others = FIELDS[self._kind][clause.field].values
            if others and clause.negated:
                refused = fold(str(clause.value))
                return [
                    msgspec.structs.replace(conjunct, every=(self._is(clause.field, other),))
                    for other in others
                    if other != refused
                ]
        return [conjunct]

    def _conjunct(self, clauses: tuple[Clause, ...]) -> Conjunct:
        every: set[int] = set()
        none: set[int] = set()
        bounds = {"amount": (0, NUMBER_MAX), "created": (0, NUMBER_MAX)}
        for clause in clauses:
            if isinstance(clause.value, int):
                low, high = bounds[clause.field]
                least, greatest = _bounds(clause)
                bounds[clause.field] = max(low, least), min(high, greatest)
            wanted = self._wanted(clause)
            if (clause.value is None) is clause.negated:
                every.update(wanted)
            elif len(wanted) == 1 and clause.operator != "~":
                none.update(wanted)
        return Conjunct(
            every=tuple(sorted(every)),
            none=tuple(sorted(none)),
            amount_min=bounds["amount"][0],
            amount_max=bounds["amount"][1],
            created_min=bounds["created"][0],
            created_max=bounds["created"][1],
        )

    def _wanted(self, clause: Clause) -> tuple[int, ...]:
        """Return the terms of all objects that meet a clause, its negation and null test aside."""
        if clause.value is None:
            return (self._has(clause.field, clause.key),)
        if clause.operator == "~":
            if clause.key is not None:
                # The index has no parts of metadata.
                return (self._has(clause.field, clause.key),)
            return tuple(self._parts(clause.field, str(clause.value)))
        if clause.operator == ":" and clause.field != "created":
            return (self._is(clause.field, str(clause.value), clause.key),)
        return ()

    def _is(self, field: str, text: str, key: str | None = None) -> int:
        return self._term("is", field, key or "", fold(text))

    def _has(self, field: str, key: str | None = None) -> int:
        return self._term("has", field, key or "")

    def _parts(self, field: str, text: str) -> Iterator[int]:
        folded = fold(text)
        for start in range(len(folded) - PART_CHARS + 1):
            yield self._term("part", field, folded[start : start + PART_CHARS])

    def _term(self, *words: str) -> int:
        digest = self._digest.copy()
        for word in words:
            # Each word is preceded by its length, so that different words never give the same bytes.
            encoded = word.encode()
            digest.update(len(encoded).to_bytes(4, "big") + encoded)
        return int.from_bytes(digest.digest(), "big", signed=True)


def _bounds(clause: Clause) -> tuple[int, int]:
    """Return the smallest and the greatest number that meet a clause, as far as one range can express it."""
    assert isinstance(clause.value, int)
    value = clause.value
    match clause.operator, clause.negated:
        case ":", False:
            return value, value
        case (">", False) | ("<=", True):
            return value + 1, NUMBER_MAX
        case (">=", False) | ("<", True):
            return value, NUMBER_MAX
        case ("<", False) | (">=", True):
            return 0, value - 1
        case ("<=", False) | (">", True):
            return 0, value
        case _:
            return 0, NUMBER_MAX
