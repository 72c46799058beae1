"""Rendering by template: the bytes of the plain oracle, whatever the fields hold."""

import types
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.rendering import Template
from fastpay.api.rendering import render, render_bytes
from fastpay.api.rendering.payment_intents import PAYMENT_INTENT
from fastpay.domain.cards import BEHAVIOURS
from fastpay.domain.ledger_objects import LedgerTransfer
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject
from tests.conformance import samples
from tests.reference import rendering as oracle

_TEXTS = st.text(max_size=40) | st.text(alphabet='"\\/\b\f\n\r\t\0\x1f\x7f\x80é€😀a', max_size=40)
_NUMBERS = st.integers(-(2**63), 2**63 - 1)
_METADATA = st.dictionaries(_TEXTS, _TEXTS, max_size=4)


def _of(kind: Any) -> st.SearchStrategy[Any]:
    """Return what a field of this type may hold."""
    match kind:
        case type() if issubclass(kind, msgspec.Struct):
            return _structs(kind)
        case types.UnionType():
            return st.one_of([_of(part) for part in kind.__args__])
        case types.GenericAlias(__origin__=origin):
            return _METADATA if origin is dict else st.lists(_TEXTS, max_size=3).map(tuple)
        case _ if get_origin(kind) is Literal:
            return st.sampled_from(get_args(kind))
        case _:
            return {str: _TEXTS, int: _NUMBERS, bool: st.booleans(), type(None): st.none()}[kind]


def _structs(kind: type[Any], **narrower: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return structs with anything in their fields, or in some of them what is given here."""
    fields = {field.name: _of(field.type) for field in msgspec.structs.fields(kind)}
    return st.builds(kind, **fields | narrower)


_OUTCOMES = {behaviour.outcome_type: None for behaviour in BEHAVIOURS.values()}
_REASONS = {behaviour.reason: None for behaviour in BEHAVIOURS.values()}

_STORED: st.SearchStrategy[StoredObject] = st.one_of(
    _structs(Customer),
    _structs(PaymentMethod),
    _structs(PaymentIntent, status=st.just("requires_action") | _TEXTS),
    _structs(
        Charge,
        status=st.just("succeeded") | _TEXTS,
        outcome_type=st.sampled_from([*_OUTCOMES]),
        outcome_reason=st.sampled_from([*_REASONS]) | _TEXTS,
    ),
    _structs(Refund),
    _structs(LedgerTransfer),
)


class _Box(msgspec.Struct, frozen=True):
    value: Any


_BOX = Template(_Box)
_BOX.put_field("value")


def boxed(value: object) -> bytes:
    return _BOX.render(_Box(value), False)


@given(_STORED, st.booleans())
def test_any_object_gives_the_bytes_of_the_oracle(stored: StoredObject, livemode: bool) -> None:
    assert render_bytes(stored, livemode) == oracle.render_bytes(stored, livemode)


@pytest.mark.parametrize("stored", samples.STATES.values(), ids=samples.STATES.keys())
def test_every_state_gives_the_bytes_of_the_oracle(stored: StoredObject) -> None:
    assert render_bytes(stored, True) == oracle.render_bytes(stored, True)
    assert render(stored, False) == oracle.render(stored, False)


@given(_STORED)
def test_what_is_encoded_after_an_expansion_has_the_same_bytes(stored: StoredObject) -> None:
    assert msgspec.json.encode(render(stored, False)) == render_bytes(stored, False)


@pytest.mark.parametrize("size", range(34))
def test_whatever_stands_at_whatever_place_is_escaped(size: int) -> None:
    for place in range(size):
        for character in (*map(chr, range(0x81)), "é", "€", "😀"):
            text = "a" * place + character + "b" * (size - place - 1)
            assert boxed(text) == msgspec.json.encode(text)


@pytest.mark.parametrize("number", [0, 9, 10, -1, -10, 2**31, 10**18, 2**63 - 1, -(2**63)])
def test_a_number_has_all_its_digits(number: int) -> None:
    assert boxed(number) == str(number).encode()


@pytest.mark.parametrize("value", [None, True, False, {}, {"a": "b"}, (), ("a",), ("a", "b")])
def test_values_of_every_kind_are_written_as_msgspec_does(value: object) -> None:
    assert boxed(value) == msgspec.json.encode(value)


def test_an_answer_may_be_as_large_as_the_limits_allow() -> None:
    metadata = {
        f"{number:0{limits.metadata_key_chars_max}}": "\1" * limits.metadata_value_chars_max
        for number in range(limits.metadata_keys_max)
    }
    stored = samples.payment_intent(metadata=metadata, description="\n" * limits.text_chars_max)
    assert render_bytes(stored, False) == oracle.render_bytes(stored, False)


@pytest.mark.parametrize("value", [1.5, b"a", ["a"], {"a": 1}, {1: "a"}, ("a", 1), object()])
def test_what_no_field_may_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        boxed(value)


def test_what_json_cannot_carry_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        boxed("\ud800")
    with pytest.raises(OverflowError):
        boxed(2**63)


def test_a_struct_of_another_type_is_refused() -> None:
    with pytest.raises(TypeError, match="_Box is not what this template renders"):
        PAYMENT_INTENT.render(_Box(None), False)


def test_a_part_of_another_type_is_refused() -> None:
    wrong: Any = samples.ADDRESS
    with pytest.raises(TypeError, match="a part must be a Shipping"):
        render_bytes(samples.payment_intent(shipping=wrong), False)
    with pytest.raises(TypeError, match="a part is missing"):
        render_bytes(samples.payment_method(card=wrong), False)


@pytest.mark.parametrize("path", ["nothing", "value.inner", "nothing.inner", "__init__", "render"])
def test_a_field_that_is_not_there_is_refused_at_once(path: str) -> None:
    with pytest.raises(TypeError, match="has no"):
        Template(_Box).put_field(path)


def test_a_branch_is_about_the_same_struct() -> None:
    with pytest.raises(TypeError, match="the same struct"):
        Template(_Box).put_when("value", None, Template(_Box), Template(Customer))
