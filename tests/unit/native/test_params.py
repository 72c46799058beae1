"""What structs of parameters hold, as the plain oracle has it."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from fastpay._native.params import EmptySearch, NumberSearch, Selection
from fastpay.api.app import ROUTES
from tests.reference import params as oracle

_GOOD = "4242424242424242"
_TYPES = list({vars(route.endpoint).get("_params_type"): None for route in ROUTES if route.method == "POST"})


class Inner(msgspec.Struct, frozen=True):
    text: str | None = None
    hidden: str | UnsetType = UNSET
    metadata: dict[str, str] | UnsetType | None = UNSET
    required: str | None = msgspec.field(default="x")


class Outer(msgspec.Struct, frozen=True):
    amount: Any
    inner: Any = UNSET
    metadata: Any = UNSET
    free: Any = None
    texts: Any = ()


def _kept(struct_type: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(name for name in struct_type.__struct_fields__ if name != "hidden")


_TEXTS = st.sampled_from(["", "a", "Order 12", _GOOD, "4242 4242 4242 4242", "é" * 13, "٤" * 16])
_METADATA = st.dictionaries(_TEXTS, _TEXTS, max_size=2)
_INNER = st.builds(
    Inner,
    text=st.none() | _TEXTS,
    hidden=st.just(UNSET) | _TEXTS,
    metadata=st.sampled_from([UNSET, None]) | _METADATA,
    required=st.none() | _TEXTS,
)
_VALUES = st.recursive(
    st.sampled_from([UNSET, None, True, 7, 1.5, b"x", [_GOOD]]) | _TEXTS | _INNER,
    lambda inner: st.tuples(inner, inner) | st.dictionaries(_TEXTS, inner, max_size=2),
    max_leaves=6,
)
_OUTER = st.builds(
    Outer, amount=_VALUES, inner=_VALUES, metadata=_VALUES | _METADATA, free=_VALUES, texts=_VALUES
)


@given(_OUTER, st.sets(st.sampled_from(Outer.__struct_fields__)))
def test_a_selection_is_what_is_given_of_its_names(params: Outer, names: set[str]) -> None:
    selection, plain = Selection(Outer, names), oracle.Selection(Outer, names)
    assert selection.names == plain.names
    assert selection.given(params) == plain.given(params)
    assert selection.has_any(params) == plain.has_any(params)


@given(_OUTER)
def test_searches_find_what_the_oracles_find(params: Outer) -> None:
    assert NumberSearch(_kept).may_find(params) == oracle.NumberSearch(_kept).may_find(params)
    assert EmptySearch().may_find(params) == oracle.EmptySearch().may_find(params)


@pytest.mark.parametrize("number", [_GOOD, "٤" * 16])
def test_a_number_is_found_wherever_it_is_kept(number: str) -> None:
    search = NumberSearch(_kept)
    assert not search.may_find(Outer(7, Inner("a", hidden=number), {"a": "b"}, None, ("c",)))
    for holds in (
        Outer(number),
        Outer(7, Inner(number)),
        Outer(7, Inner(metadata={number: "a"})),
        Outer(7, metadata={"a": number}),
        Outer(7, texts=("a", Inner(number))),
        # Of a type that is not looked into.
        Outer(7, free=[number]),
    ):
        assert search.may_find(holds)


def test_only_nulls_that_change_something_are_empty() -> None:
    search = EmptySearch()
    assert not search.may_find(Outer(7, Inner(), {"a": "b"}, None, ("c",)))
    for empty in (
        Outer(None),
        Outer(7, None),
        Outer(7, Inner(required=None)),
        Outer(7, Inner(metadata={"a": ""})),
        Outer(7, metadata={}),
        Outer(7, texts=("a", None)),
    ):
        assert search.may_find(empty)


@pytest.mark.parametrize("params_type", _TYPES)
def test_every_type_of_params_is_read(params_type: Any) -> None:
    names = params_type.__struct_fields__
    params = params_type(**dict.fromkeys(names, "x"))
    assert Selection(params_type, names).given(params) == dict.fromkeys(names, "x")
    assert not EmptySearch().may_find(params)


def test_another_struct_and_another_name_are_refused() -> None:
    with pytest.raises(TypeError):
        Selection(Outer, ["nothing"])
    with pytest.raises(TypeError):
        Selection(Outer, ["amount"]).given(Inner())
    with pytest.raises(TypeError):
        Selection(Outer, ["amount"]).has_any(7)  # type: ignore[arg-type]
