"""Identifiers of new objects: those of the oracle, whatever the head, the tail and the prefixes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.identifiers import IdentifierSequence
from tests.reference import identifiers as oracle

_HEADS = st.integers(0, (1 << 64) - 1)
# Some are about to carry into the next digits.
_TAILS = st.binary(min_size=8, max_size=8) | st.sampled_from(
    [b"\xff" * 8, b"\x0f" + b"\xff" * 7, b"\0\0\0\0\0\0\0\xfe", b"\0\0\0\0\0\0\xff\xff"]
)
_PREFIXES = st.lists(st.sampled_from(["pi", "ch", "evt", "ccsbtxn", ""]), min_size=1, max_size=20)


@given(_HEADS, _TAILS, _PREFIXES)
def test_identifiers_are_those_of_the_oracle(head: int, tail: bytes, prefixes: list[str]) -> None:
    sequence, plain = IdentifierSequence(head, tail), oracle.IdentifierSequence(head, tail)
    assert list(map(sequence.next, prefixes)) == list(map(plain.next, prefixes))
    assert sequence.moment_ms == plain.moment_ms


@given(_HEADS, _TAILS)
def test_identifiers_carry_where_a_byte_is_full(head: int, tail: bytes) -> None:
    sequence, plain = IdentifierSequence(head, tail), oracle.IdentifierSequence(head, tail)
    assert [sequence.next("tr") for _ in range(600)] == [plain.next("tr") for _ in range(600)]


def test_an_identifier_is_text_like_any_other() -> None:
    made = IdentifierSequence(7 << 12, b"\0" * 8).next("pi")
    assert (made.isascii(), len(made), made[:3]) == (True, 35, "pi_")
    assert {made: 1}["".join(list(made))] == 1


@pytest.mark.parametrize("tail", [b"", b"1234567", b"123456789"])
def test_a_tail_of_another_length_is_refused(tail: bytes) -> None:
    with pytest.raises(ValueError, match="8 bytes"):
        IdentifierSequence(0, tail)


@pytest.mark.parametrize("head", [-1, 1 << 64])
def test_a_head_of_more_than_64_bits_is_refused(head: int) -> None:
    with pytest.raises(OverflowError):
        IdentifierSequence(head, b"\0" * 8)


def test_a_prefix_of_other_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        IdentifierSequence(0, b"\0" * 8).next("ä")
