"""Identifiers: well formed, rising, and bounded by time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain.identifiers import (
    HIGHEST,
    LOWEST,
    digits,
    is_well_formed,
    lower_bound,
)

MOMENTS_MS = st.integers(0, (1 << 48) - 1)
COUNTS = st.integers(0, 0xFFF)
TAILS = st.binary(min_size=8, max_size=8)


def head_of(moment_ms: int, count: int) -> int:
    """Return the upper half of a version 7 UUID. Source: RFC 9562 5.7."""
    return moment_ms << 16 | 7 << 12 | count


@given(MOMENTS_MS, COUNTS, TAILS)
def test_identifiers_of_a_command_rise_and_are_version_seven(moment_ms: int, count: int, tail: bytes) -> None:
    sequence = IdentifierSequence(head_of(moment_ms, count), tail)
    made = [sequence.next("pi") for _ in range(5)]
    assert all(is_well_formed(identifier, "pi") for identifier in made)
    assert sorted(set(made)) == made
    assert {digits(identifier)[:12] for identifier in made} == {f"{moment_ms:012x}"}
    assert {digits(identifier)[12] for identifier in made} == {"7"}
    assert all(digits(identifier)[16] in "89ab" for identifier in made)


@given(COUNTS, TAILS | st.sampled_from([b"\xff" * 8, b"\x0f" + b"\xff" * 7, b"\0\0\0\0\0\0\0\xfe"]))
def test_identifiers_of_a_command_are_consecutive_numbers(count: int, tail: bytes) -> None:
    sequence = IdentifierSequence(head_of(0, count), tail)
    first = head_of(0, count) << 64 | 0b10 << 62 | int.from_bytes(tail, "big") & (1 << 60) - 1
    for place in range(1, 600):
        assert sequence.next("pi") == f"pi_{first + place:032x}"


@given(MOMENTS_MS, COUNTS, COUNTS, TAILS, TAILS)
def test_a_later_head_gives_later_identifiers_whatever_the_tail(
    moment_ms: int, one: int, other: int, tail: bytes, other_tail: bytes
) -> None:
    earlier, later = sorted((one, other))
    if earlier == later:
        return
    first = IdentifierSequence(head_of(moment_ms, earlier), tail)
    second = IdentifierSequence(head_of(moment_ms, later), other_tail)
    assert max(first.next("ch") for _ in range(3)) < second.next("ch")


@given(st.integers(0, (1 << 48) // 1000 - 1), st.integers(0, 999), COUNTS, TAILS)
def test_a_second_bounds_its_identifiers_from_below(
    created_s: int, offset_ms: int, count: int, tail: bytes
) -> None:
    own = digits(IdentifierSequence(head_of(created_s * 1000 + offset_ms, count), tail).next("pi"))
    assert LOWEST <= lower_bound(created_s) < own < lower_bound(created_s + 1) <= HIGHEST


@pytest.mark.parametrize("created_s", [-1, 0, 10**30])
def test_a_bound_of_any_second_is_well_formed(created_s: int) -> None:
    assert is_well_formed("pi_" + lower_bound(created_s), "pi")


@pytest.mark.parametrize(
    "identifier",
    [
        "",
        "pi",
        "pi_",
        "pi_" + "0" * 31,
        "pi_" + "0" * 33,
        "pi-" + "0" * 32,
        "pi_" + "A" * 32,
        "pi_" + "g" * 32,
        "pi_" + "0" * 31 + "\n",
        "pi_" + "٣" * 32,
        "ch_" + "0" * 32,
        " pi_" + "0" * 32,
        "pi_card_visa",
    ],
)
def test_a_malformed_identifier_is_told_apart(identifier: str) -> None:
    assert not is_well_formed(identifier, "pi")
