"""Expansion: showing other objects whole where an answer would only name them.

Paths are checked against one table before anything is done, and kept with the answer, so that a replay
expands the same. Then the identifiers of all the answer's objects are replaced level by level, with one
question to the resolver a level.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

import msgspec

from fastpay import limits
from fastpay.api.rendering import render_list
from fastpay.domain.identifiers import prefix_of
from fastpay.domain.kinds import presentable
from fastpay.domain.objects import PaymentIntent, StoredObject
from fastpay.errors import InvalidRequest

_Item = TypeVar("_Item")


class Resolver(Protocol):
    """Where the objects behind identifiers come from, rendered, of one tenant and mode."""

    async def resolve(self, identifiers: Sequence[str]) -> Mapping[str, dict[str, object]]:
        """Return the objects that exist, balance transactions (txn_) among them."""

    async def refunds_of(self, charge_id: str) -> list[dict[str, object]]:
        """Return the refunds of a charge, newest first; one more than a page says that there are more."""

    async def step(self) -> None:
        """Let others have the loop: called after so many objects as may be put together at once."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """What may be expanded. `kinds` are the prefixes that may stand there, none where it is always null."""

    kinds: tuple[str, ...] = ()
    is_list: bool = False


_ALWAYS_NULL = Field()
_CUSTOMER = Field(kinds=("cus",))
_PAYMENT_METHOD = Field(kinds=("pm",))
_PAYMENT_INTENT = Field(kinds=("pi",))
_CHARGE = Field(kinds=("ch",))
_BALANCE_TRANSACTION = Field(kinds=("txn",))
_LEDGER_ACCOUNT = Field(kinds=("lacc",))
_LEDGER_TRANSFER = Field(kinds=("ltr",))

# By the prefix of the object that has the field. A name may lead through a part of the object.
EXPANDABLE: dict[str, dict[str, Field]] = {
    "pi": {
        "customer": _CUSTOMER,
        "last_payment_error.payment_method": _PAYMENT_METHOD,
        "latest_charge": _CHARGE,
        "payment_method": _PAYMENT_METHOD,
        "application": _ALWAYS_NULL,
        "on_behalf_of": _ALWAYS_NULL,
        "payment_record": _ALWAYS_NULL,
        "review": _ALWAYS_NULL,
        "source": _ALWAYS_NULL,
        "transfer_data.destination": _ALWAYS_NULL,
    },
    "ch": {
        "balance_transaction": _BALANCE_TRANSACTION,
        "customer": _CUSTOMER,
        "payment_intent": _PAYMENT_INTENT,
        "refunds": Field(kinds=("re",), is_list=True),
        "application": _ALWAYS_NULL,
        "application_fee": _ALWAYS_NULL,
        "failure_balance_transaction": _ALWAYS_NULL,
        "on_behalf_of": _ALWAYS_NULL,
        "review": _ALWAYS_NULL,
        "source_transfer": _ALWAYS_NULL,
        "transfer": _ALWAYS_NULL,
        "transfer_data.destination": _ALWAYS_NULL,
    },
    "re": {
        "balance_transaction": _BALANCE_TRANSACTION,
        "charge": _CHARGE,
        "customer": _CUSTOMER,
        "payment_intent": _PAYMENT_INTENT,
        "payment_method": _PAYMENT_METHOD,
        "failure_balance_transaction": _ALWAYS_NULL,
        "source_transfer_reversal": _ALWAYS_NULL,
        "transfer_reversal": _ALWAYS_NULL,
    },
    "pm": {
        "customer": _CUSTOMER,
    },
    "cus": {
        "invoice_settings.default_payment_method": _PAYMENT_METHOD,
        "cash_balance": _ALWAYS_NULL,
        "default_source": _ALWAYS_NULL,
        "sources": _ALWAYS_NULL,
        "subscriptions": _ALWAYS_NULL,
        "tax": _ALWAYS_NULL,
        "tax_ids": _ALWAYS_NULL,
        "test_clock": _ALWAYS_NULL,
    },
    "txn": {
        "source": Field(kinds=("ch", "re")),
    },
    "lacc": {
        "balance": Field(kinds=("lbal",)),
    },
    "lbal": {
        "account": _LEDGER_ACCOUNT,
    },
    "lbat": {},
    "lent": {
        "account": _LEDGER_ACCOUNT,
        "source": Field(kinds=("ch", "re")),
        "transfer": _LEDGER_TRANSFER,
    },
    "ltr": {
        "credit_account": _LEDGER_ACCOUNT,
        "debit_account": _LEDGER_ACCOUNT,
        "ended_by": _LEDGER_TRANSFER,
        "hold": _LEDGER_TRANSFER,
    },
    "balance": {},
    "ledger_verification": {},
}

# Shown whole without being asked.
_SHOWN_WHOLE: dict[str, str] = {"pi": "last_payment_error.payment_method"}

# Room for every path, followed to its end, in every item of the longest page.
_OBJECTS_MAX = limits.page_size_max * limits.expand_paths_max * limits.expand_depth_max
_PATH_SHOWN_CHARS = 100

_ALL_FIELDS = {name: field for fields in EXPANDABLE.values() for name, field in fields.items()}
_PARTS = frozenset(name.partition(".")[0] for name in _ALL_FIELDS if "." in name)
_LISTS = frozenset(name for name, field in _ALL_FIELDS.items() if field.is_list)

# The fields to expand in an object, and in each what to expand below it.
Tree = dict[str, "Tree"]


def check_paths(kind: str, paths: Sequence[str], *, listed: bool = False) -> tuple[str, ...]:
    """Return the paths to expand in each object of a kind, without repetitions.

    `kind` is the prefix of its identifiers. In a list, paths begin with `data.`, which is taken off here.
    Raises: InvalidRequest for a path that leads nowhere, too many paths or one too long.
    """
    if len(paths) > limits.expand_paths_max:
        raise _refusal(f"At most {limits.expand_paths_max} paths can be expanded in one request.")
    checked: dict[str, None] = {}
    for path in paths:
        relative = path.removeprefix("data.") if listed else path
        if listed and relative == path:
            raise _refusal(f"'{_shortened(path)}' cannot be expanded: in a list, paths begin with 'data.'.")
        _check_path(kind, relative, path)
        checked[relative] = None
    return tuple(checked)


def shown_whole(stored: StoredObject) -> str | None:
    """Return the identifier of the one object that is shown whole in this one without being asked."""
    error = stored.last_payment_error if isinstance(stored, PaymentIntent) else None
    return None if error is None else error.payment_method


def stands_alone(stored: StoredObject) -> bool:
    """Tell whether an object shows no other one whole without being asked: nothing of it needs expanding."""
    return shown_whole(stored) is None


async def expand(rendered: Sequence[dict[str, object]], paths: Sequence[str], resolver: Resolver) -> None:
    """Replace identifiers by the objects that they name, in place, along paths that were checked.

    What a payment intent shows whole in any case is filled in as well. An identifier that the resolver does
    not know stays. Raises: InvalidRequest when the answer would grow out of all proportion.
    """
    await _Expansion(resolver).run(rendered, _tree(paths))


class _Place(msgspec.Struct, frozen=True):
    """One reference in one object, and what is to be expanded below it."""

    shown: dict[str, object]
    path: str
    value: object
    below: Tree


# Objects that are shown already, each with what is to be expanded in it.
_Level = list[tuple[dict[str, object], Tree]]


class _Expansion:
    """The expansion of one answer: what the resolver said so far, so that it is asked once."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._objects: dict[str, dict[str, object]] = {}
        self._refunds: dict[str, list[dict[str, object]]] = {}
        self._count = 0

    async def run(self, rendered: Sequence[dict[str, object]], tree: Tree) -> None:
        """Expand level by level: each goes one reference further, so the depth of the tree is the end."""
        level: _Level = [(shown, tree) for shown in rendered]
        while level:
            level = [*await self._replace_references(level), *await self._add_refunds(level)]
            self._count += len(level)
            if self._count > _OBJECTS_MAX:
                raise _refusal(
                    f"More than {_OBJECTS_MAX} objects would be expanded. Give fewer paths or a lower limit."
                )

    async def _replace_references(self, level: _Level) -> _Level:
        places: list[_Place] = []
        for piece in _pieces(level):
            places += [place for shown, below in piece for place in _places(shown, below)]
            await self._pause(piece)
        identifiers = dict.fromkeys(place.value for place in places if isinstance(place.value, str))
        unknown = [identifier for identifier in identifiers if identifier not in self._objects]
        for names in _pieces(unknown):
            self._objects.update(await self._resolver.resolve(names))
            await self._pause(names)
        found: _Level = []
        for replaced in _pieces(places):
            found += [shown for place in replaced if (shown := _replace(place, self._objects)) is not None]
            await self._pause(replaced)
        return found

    async def _pause(self, piece: Sequence[object]) -> None:
        """Have a step after a piece that is as long as a step may be; most answers are shorter."""
        if len(piece) == limits.expanded_at_once_max:
            await self._resolver.step()

    async def _add_refunds(self, level: _Level) -> _Level:
        charges = [
            (shown, tree["refunds"]) for shown, tree in level if "refunds" in tree and _kind_of(shown) == "ch"
        ]
        identifiers = dict.fromkeys(str(charge["id"]) for charge, _ in charges)
        unknown = [identifier for identifier in identifiers if identifier not in self._refunds]
        answers = await asyncio.gather(*(self._resolver.refunds_of(identifier) for identifier in unknown))
        self._refunds.update(zip(unknown, answers, strict=True))
        found: _Level = []
        for charge, below in charges:
            refunds = self._refunds[str(charge["id"])]
            page = [dict(refund) for refund in refunds[: limits.page_size_default]]
            url = f"/v1/charges/{charge['id']}/refunds"
            charge["refunds"] = render_list(url, page, len(refunds) > limits.page_size_default)
            found.extend((refund, below) for refund in page)
        return found


def _pieces(whole: Sequence[_Item]) -> Iterable[Sequence[_Item]]:
    size = limits.expanded_at_once_max
    return (whole[place : place + size] for place in range(0, len(whole), size))


def _places(shown: dict[str, object], tree: Tree) -> Iterable[_Place]:
    """Find the references to replace in one object."""
    kind = _kind_of(shown)
    wanted = dict(tree)
    if kind in _SHOWN_WHOLE:
        wanted.setdefault(_SHOWN_WHOLE[kind], {})
    fields = EXPANDABLE.get(kind, {})
    for path, below in wanted.items():
        # A path may lead to objects of several kinds, of which only some have the field.
        value = _value_at(shown, path) if path in fields else None
        if value is not None:
            yield _Place(shown, path, value, below)


def _replace(
    place: _Place, objects: Mapping[str, dict[str, object]]
) -> tuple[dict[str, object], Tree] | None:
    """Put an object in its place and return it; None where it is unknown."""
    if isinstance(place.value, dict):
        return place.value, place.below
    found = objects.get(place.value) if isinstance(place.value, str) else None
    if found is None:
        return None
    # The same object may stand in several places and be expanded differently in each: never share it.
    copied = dict(found)
    part, _, name = place.path.rpartition(".")
    if part:
        container = place.shown[part]
        assert isinstance(container, dict)
        place.shown[part] = {**container, name: copied}
    else:
        place.shown[name] = copied
    return copied, place.below


def _check_path(kind: str, relative: str, path: str) -> None:
    fields = _fields_of(relative)
    if len(fields) > limits.expand_depth_max:
        raise _refusal(
            f"'{_shortened(path)}' is too deep: at most {limits.expand_depth_max} objects can be expanded "
            "one inside of the other."
        )
    kinds: tuple[str, ...] = (kind,)
    for name in fields:
        matching = [EXPANDABLE[prefix][name] for prefix in kinds if name in EXPANDABLE[prefix]]
        if not matching:
            raise _refusal(f"'{_shortened(path)}' cannot be expanded.")
        kinds = tuple(dict.fromkeys(prefix for field in matching for prefix in field.kinds))
        if not kinds:
            # Where nothing ever is, it does not matter what would be below.
            return


def _fields_of(path: str) -> list[str]:
    """Split a path into fields: one inside of a part has two names, and a list's items are under `data`."""
    names = path.split(".")
    fields: list[str] = []
    place = 0
    while place < len(names):
        size = 2 if names[place] in _PARTS else 1
        fields.append(".".join(names[place : place + size]))
        place += size
        if fields[-1] in _LISTS and names[place : place + 1] == ["data"]:
            place += 1
    return fields


def _tree(paths: Iterable[str]) -> Tree:
    root: Tree = {}
    for path in paths:
        node = root
        for name in _fields_of(path):
            node = node.setdefault(name, {})
    return root


def _kind_of(shown: Mapping[str, object]) -> str:
    identifier = shown.get("id")
    return prefix_of(identifier) if isinstance(identifier, str) else ""


def _value_at(shown: Mapping[str, object], path: str) -> object:
    part, _, name = path.rpartition(".")
    if not part:
        return shown.get(name)
    container = shown.get(part)
    return container.get(name) if isinstance(container, dict) else None


def _shortened(path: str) -> str:
    path = presentable(path)
    return path if len(path) <= _PATH_SHOWN_CHARS else path[:_PATH_SHOWN_CHARS] + "…"


def _refusal(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="expand")
