"""The numbers of what a command has written: those of the oracle."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.identifiers import IdentifierSequence
from fastpay._native.numbering import Numbering
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Event, Versioned
from tests.reference import identifiers as plain
from tests.reference import numbering as oracle

_NUMBERING = Numbering(Versioned, Event)
_NAMES = st.sampled_from([f"cus_{number:032x}" for number in range(6)])
_HEAD, _TAIL = 7 << 12, b"\0" * 7 + b"\xfd"


def _customer(identifier: str) -> Customer:
    return Customer(id=identifier, created=1)


@st.composite
def _written(draw: st.DrawFn) -> tuple[list[str], list[tuple[str, str]], dict[str, Versioned | None], int]:
    changed = draw(st.lists(_NAMES, unique=True))
    types = st.sampled_from(["customer.created", "customer.updated"])
    announced = draw(st.lists(st.tuples(types, st.sampled_from(changed)))) if changed else []
    held: dict[str, Versioned | None] = {
        name: draw(
            st.none() | st.builds(Versioned, st.just(_customer(name)), st.integers(1, 1 << 40), st.just(1))
        )
        for name in draw(st.lists(_NAMES, unique=True))
    }
    return changed, announced, held, draw(st.integers(0, 1 << 50))


@given(_written())
def test_versions_and_events_are_those_of_the_oracle(
    written: tuple[list[str], list[tuple[str, str]], dict[str, Versioned | None], int],
) -> None:
    names, announced, held, sequence = written
    changed = {name: _customer(name) for name in names}
    found = _NUMBERING.number(changed, announced, held, sequence, IdentifierSequence(_HEAD, _TAIL))
    identifiers = plain.IdentifierSequence(_HEAD, _TAIL)
    assert found == oracle.number((Versioned, Event), changed, announced, held, sequence, identifiers.next)


def test_an_event_of_an_object_that_is_not_changed_is_refused() -> None:
    with pytest.raises(KeyError, match="cus_1"):
        _NUMBERING.number({}, [("customer.updated", "cus_1")], {}, 0, IdentifierSequence(_HEAD, _TAIL))


def test_what_is_held_must_have_a_version() -> None:
    customer = _customer("cus_1")
    with pytest.raises(TypeError, match="Versioned"):
        _NUMBERING.number({"cus_1": customer}, [], {"cus_1": customer}, 0, IdentifierSequence(_HEAD, _TAIL))


def test_types_with_other_fields_are_refused() -> None:
    class Other(msgspec.Struct):
        object: object
        version: int

    with pytest.raises(TypeError, match="Other"):
        Numbering(Other, Event)
    with pytest.raises(TypeError, match="Customer"):
        Numbering(Versioned, Customer)
