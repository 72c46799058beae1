"""The registry of kinds of object."""

import pytest

from fastpay.domain import kinds
from tests.support.states import STATES


def test_prefixes_and_numbers_are_those_that_databases_hold() -> None:
    assert {prefix: kind.number for prefix, kind in kinds.STORED.items()} == {
        "cus": 1, "pm": 2, "pi": 3, "ch": 4, "re": 5, "lacc": 6, "lbat": 7,
        "seti": 8, "setatt": 9, "mandate": 10, "bal": 11, "po": 12,
        "acct": 13, "tr": 14, "trr": 15, "tok": 16, "ctoken": 17, "du": 18,
        "we": 19, "wrp": 20,
        "fee": 21, "fr": 22, "ccsbtxn": 23, "fundinst": 24, "att": 25, "stl": 26, "imp": 27,
    }  # fmt: skip


@pytest.mark.parametrize("state", STATES)
def test_an_object_could_be_of_its_own_kind_and_of_no_other(state: str) -> None:
    stored = STATES[state]
    (kind,) = (kind for kind in kinds.KINDS.values() if kinds.could_be(kind, stored.id))
    assert isinstance(kind, kinds.StoredKind)
    assert kind.struct is type(stored)
    assert kind.number == kinds.number_of(stored)


def test_what_could_not_be_an_identifier_is_missing_in_the_words_of_one_that_could() -> None:
    identifier = "pi_" + "0" * 32
    for sent, shown in ((identifier, identifier), ("nonsense", "nonsense"), ("x" * 1000, "x" * 255)):
        error = kinds.absent(kinds.PAYMENT_INTENT, sent)
        assert (error.message, error.param) == (f"No such payment_intent: '{shown}'", "intent")
    assert kinds.absent(kinds.CHARGE, "4242424242424242").message == "No such charge: '(16 characters)'"
