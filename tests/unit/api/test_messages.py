"""What the messages about parameters say: names, and what would be right, in words."""

from collections.abc import Iterator

import pytest

from fastpay.api.accepted_values import Accepted, accepted_by
from fastpay.api.app import ROUTES
from fastpay.api.decoding import decode_params, decode_query
from fastpay.api.errors import without_card_numbers
from fastpay.api.resources.customers import CreateParams as CreateCustomer
from fastpay.api.resources.events import EventListParams
from fastpay.api.resources.payment_intents.params import CreateParams as CreateIntent
from fastpay.errors import InvalidRequest
from tests.unit.api.example_params import FORM


def texts(accepted: Accepted, seen: set[int]) -> Iterator[Accepted]:
    """Yield a parameter that takes texts, and those below it."""
    if id(accepted) in seen:
        return
    seen.add(id(accepted))
    if accepted.text is not None:
        yield accepted
    for inner in [*(accepted.fields or {}).values(), accepted.values, accepted.elements]:
        if inner is not None:
            yield from texts(inner, seen)


def refusal(params_type: type, form: bytes) -> tuple[str, str | None, str]:
    """Return the parameter, the code and the message for a form, as clients see them."""
    with pytest.raises(InvalidRequest) as refused:
        decode_params(params_type, content_type=FORM, body=form, query=b"")
    return str(refused.value.param), refused.value.code, without_card_numbers(refused.value.message)


def test_every_pattern_is_told_in_words() -> None:
    every = [accepted_by(route.endpoint.contract.params) for route in ROUTES]
    seen: set[int] = set()
    found = [one.text for accepted in every for one in texts(accepted, seen) if one.text is not None]
    patterns = {text.pattern.pattern: text.meaning for text in found if text.pattern is not None}
    assert patterns
    assert [pattern for pattern, meaning in patterns.items() if meaning is None] == []


def test_what_is_no_email_address_is_told_so() -> None:
    expected = "Received 'ada'. It must be an email address, for example ada@example.com."
    assert refusal(CreateCustomer, b"email=ada") == ("email", "email_invalid", expected)
    name, code, message = refusal(CreateIntent, b"amount=5&currency=usd&receipt_email=ada")
    assert (name, code, message) == ("receipt_email", "email_invalid", expected)


def test_the_characters_that_a_descriptor_cannot_have_are_named() -> None:
    _, _, message = refusal(CreateIntent, b"amount=5&currency=usd&statement_descriptor=a*b")
    assert message.endswith("a text with at least one letter, without any of < > \\ ' \" *.")


def test_a_bound_of_many_digits_is_not_hidden_like_a_card_number() -> None:
    _, _, message = refusal(CreateCustomer, b"balance=x")
    assert message == "Received 'x'. It must be a whole number from -(10^12) to 10^12."
    with pytest.raises(InvalidRequest) as refused:
        decode_query(EventListParams, b"after_sequence=-1")
    expected = "Received '-1'. It must be a whole number from 0 to 2^48 - 1."
    assert without_card_numbers(refused.value.message) == expected
