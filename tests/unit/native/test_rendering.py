"""Rendering by template: the bytes of the plain oracle, whatever the fields hold."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.rendering import Template
from fastpay.api.app import RESOURCES
from fastpay.api.layout import Choice, Field, Json, Nested, Shape, Slot, When
from fastpay.api.resource import Resource
from fastpay.domain import kinds
from fastpay.domain.objects import Customer, PaymentIntent, PaymentMethod, StoredObject
from tests.reference import rendering as oracle
from tests.support import samples
from tests.support.seeds import size
from tests.support.states import STATES
from tests.unit.native.stored import STORED, structs

# What is encoded otherwise has a shape of something else than its struct.
SHAPED = [one for one in RESOURCES if one.shape is not None and one.encode is None]


class _Box(msgspec.Struct, frozen=True):
    value: Any


_BOX = Template(_Box)
_BOX.put_field("value")


def boxed(value: object) -> bytes:
    return _BOX.render(_Box(value), False)


@given(STORED, st.booleans())
def test_any_object_gives_the_bytes_of_the_oracle(stored: StoredObject, livemode: bool) -> None:
    assert RESOURCES.render_bytes(stored, livemode) == oracle.render_bytes(stored, livemode)


@pytest.mark.parametrize("resource", SHAPED, ids=lambda resource: resource.kind.prefix)
@settings(max_examples=size(30, soak=1_000))
@given(st.data())
def test_every_resource_is_rendered_as_its_shape_says(resource: Resource, data: st.DataObject) -> None:
    stored = data.draw(structs(resource.struct))
    plain = msgspec.json.encode(oracle.interpret(resource.shape, stored, False))
    assert resource.render_bytes(stored, False) == plain


def test_a_key_shows_the_field_of_its_name_or_one_that_is_named_here() -> None:
    """A field that is mistaken for another has the right type, so that no other test would see it."""
    shown = {found for resource in SHAPED for found in fields_of(resource.shape)}
    assert {(key, path) for key, path in shown if path.rpartition(".")[2] != key} == OTHER_NAMES


def fields_of(shape: Shape, key: str = "") -> Iterator[tuple[str, str]]:
    """Yield every key whose value is a field, with the field."""
    match shape:
        case dict():
            for name, inner in shape.items():
                yield from fields_of(inner, name)
        case list():
            for inner in shape:
                yield from fields_of(inner, key)
        case Field() | Json() | Slot():
            yield key, shape.path
        case Nested():
            yield from fields_of(shape.shape, key)
        case When():
            yield from fields_of(shape.then, key)
            yield from fields_of(shape.otherwise, key)
        case Choice():
            yield key, shape.path
            yield from fields_of(shape.otherwise, key)


OTHER_NAMES = {
    ("address_city", "address.city"),
    ("address_country", "address.country"),
    ("address_line1", "address.line1"),
    ("address_line2", "address.line2"),
    ("address_state", "address.state"),
    ("address_zip", "address.postal_code"),
    ("address_zip_check", "card.address_postal_code_check"),
    ("id", "card_id"),
    ("in_doubt", "held"),
    ("row_count", "rows"),
    ("result", "three_d_secure"),
    ("amount", "fee"),
    ("amount", "transfer_amount"),
    ("amount_authorized", "amount"),
    ("amount_posted", "amount"),
    ("amount_refunded", "amount"),
    ("authentication_flow", "flow"),
    ("available", "card.brand"),
    ("available_on", "created"),
    ("calculated_statement_descriptor", "statement_descriptor"),
    ("data", "object_id"),
    ("display_brand", "card.brand"),
    ("email_sent_at", "created"),
    ("email_sent_to", "instructions_email"),
    ("ended_by", "transfer_id"),
    ("type", "bank_transfer"),
    ("type", "destination"),
    ("id", "request_id"),
    ("maximum_amount_capturable", "amount"),
    ("maximum_amount_capturable", "extras.overcapture_max"),
    ("network", "brand"),
    ("network", "card.brand"),
    ("network_status", "outcome_type"),
    ("network_transaction_id", "id"),
    ("reason", "outcome_reason"),
    ("reference", "id"),
    ("seller_message", "outcome_reason"),
    ("seller_message", "outcome_type"),
    ("status", "phase"),
    ("type", "outcome_type"),
    ("type", "phase"),
    ("url", "challenge_url"),
    ("user_report", "fraud_report"),
}


@pytest.mark.parametrize("stored", STATES.values(), ids=STATES.keys())
def test_every_state_gives_the_bytes_of_the_oracle(stored: StoredObject) -> None:
    assert RESOURCES.render_bytes(stored, True) == oracle.render_bytes(stored, True)
    assert RESOURCES.render(stored, False) == oracle.render(stored, False)


@given(structs(PaymentIntent), structs(PaymentMethod), st.booleans())
def test_what_is_shown_whole_takes_the_place_of_its_identifier_and_nothing_else(
    intent: PaymentIntent, method: PaymentMethod, livemode: bool
) -> None:
    shown = oracle.render(intent, livemode)
    error = shown["last_payment_error"]
    if isinstance(error, dict) and error["payment_method"] is not None:
        error["payment_method"] = oracle.render(method, livemode)
    whole = RESOURCES.render_bytes(method, livemode)
    resource = RESOURCES.of_object(intent)
    assert resource.render_bytes(intent, livemode, whole) == msgspec.json.encode(shown)
    assert RESOURCES.of_object(method).render_bytes(method, livemode, whole) == whole


@given(STORED)
def test_what_is_encoded_after_an_expansion_has_the_same_bytes(stored: StoredObject) -> None:
    assert msgspec.json.encode(RESOURCES.render(stored, False)) == RESOURCES.render_bytes(stored, False)


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
    assert RESOURCES.render_bytes(stored, False) == oracle.render_bytes(stored, False)


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
        RESOURCES.of_kind(kinds.PAYMENT_INTENT).render_bytes(_Box(None), False)


def test_a_part_of_another_type_is_refused() -> None:
    wrong: Any = samples.ADDRESS
    with pytest.raises(TypeError, match="a part must be a Shipping"):
        RESOURCES.render_bytes(samples.payment_intent(shipping=wrong), False)
    with pytest.raises(TypeError, match="a part is missing"):
        RESOURCES.render_bytes(samples.payment_method(card=wrong), False)


@pytest.mark.parametrize("path", ["nothing", "value.inner", "nothing.inner", "__init__", "render"])
def test_a_field_that_is_not_there_is_refused_at_once(path: str) -> None:
    with pytest.raises(TypeError, match="has no"):
        Template(_Box).put_field(path)


def test_a_branch_is_about_the_same_struct() -> None:
    with pytest.raises(TypeError, match="the same struct"):
        Template(_Box).put_when("value", None, Template(_Box), Template(Customer))
