"""What objects weigh, compared with the oracle, and with what the allocator says."""

from typing import Any

import msgspec
import pytest
from hypothesis import given

from fastpay._native.weighing import weigh
from fastpay.domain.objects import StoredObject
from tests.reference import weighing as oracle
from tests.support.states import STATES
from tests.unit.native.stored import STORED


class _Box(msgspec.Struct, frozen=True):
    value: Any


@given(STORED)
def test_any_object_weighs_what_the_oracle_says(stored: StoredObject) -> None:
    assert weigh(stored) == oracle.weigh(stored)


@pytest.mark.parametrize("stored", STATES.values(), ids=STATES.keys())
def test_every_state_weighs_what_the_oracle_says(stored: StoredObject) -> None:
    assert weigh(stored) == oracle.weigh(stored)


@pytest.mark.parametrize(
    "value",
    [
        0,
        -5,
        -6,
        256,
        257,
        2**60 - 1,
        2**60,
        -(2**60),
        2**63 - 1,
        -(2**63),
        True,
        None,
        "",
        "é",
        "€",
        "😀",
        (),
    ],
)
def test_a_value_weighs_what_the_oracle_says(value: object) -> None:
    assert weigh(_Box(value)) == oracle.weigh(_Box(value))


def test_a_text_that_was_rendered_weighs_what_it_did() -> None:
    box = _Box("ü" * 100)
    before = weigh(box)
    msgspec.json.encode(box)
    assert weigh(box) == before


@pytest.mark.parametrize("value", [1.0, b"bytes", [], {1.0: "a"}, object()])
def test_what_no_field_may_hold_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        weigh(_Box(value))


def test_only_structs_are_weighed() -> None:
    with pytest.raises(TypeError):
        weigh("text")  # type: ignore[arg-type]
