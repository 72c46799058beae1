"""Identifiers: new ones are those of the oracle, whatever the head, tail and prefixes; and so are parts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.identifiers import IdentifierSequence, digits, is_well_formed, prefix_of
from tests.reference import identifiers as oracle

_HEADS = st.integers(0, (1 << 64) - 1)
# Some are about to carry into the next digits.
_TAILS = st.binary(min_size=8, max_size=8) | st.sampled_from(
    [b"\xff" * 8, b"\x0f" + b"\xff" * 7, b"\0\0\0\0\0\0\0\xfe", b"\0\0\0\0\0\0\xff\xff"]
)
_DIGITS = "0123456789abcdef"
_NAMES = st.sampled_from(["pi", "ch", "evt", "ccsbtxn", "", "a_b", "pï"])
# Right ones, and those that differ from a right one in one sign, in their length or in everything.
_IDENTIFIERS = st.builds(
    lambda name, separator, written, rest: name + separator + written + rest,
    _NAMES,
    st.sampled_from(["_", "_", "_", "", "-", "__"]),
    st.text(_DIGITS, min_size=31, max_size=33)
    | st.text(_DIGITS + "gA/:`\n\0\x7fé\u0661", min_size=32, max_size=32),
    st.sampled_from(["", "", "", "\n", "0"]),
) | st.text(max_size=40)
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


@given(_IDENTIFIERS, _NAMES)
def test_the_parts_of_an_identifier_are_those_of_the_oracle(identifier: str, prefix: str) -> None:
    assert prefix_of(identifier) == oracle.prefix_of(identifier)
    assert digits(identifier) == oracle.digits(identifier)
    # No prefix that there is has other letters; the oracle takes any.
    if prefix.isascii():
        assert is_well_formed(identifier, prefix) == oracle.is_well_formed(identifier, prefix)


def test_each_sign_of_an_identifier_counts() -> None:
    right = "pi_" + _DIGITS * 2
    assert is_well_formed(right, "pi")
    for at in range(len(right)):
        for sign in "gA_/:`@G\0\x7fé":
            changed = right[:at] + sign + right[at + 1 :]
            assert is_well_formed(changed, "pi") == oracle.is_well_formed(changed, "pi") == (changed == right)


def test_parts_of_something_else_than_text_are_refused() -> None:
    for function in (prefix_of, digits):
        with pytest.raises(TypeError):
            function(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        is_well_formed("pi_" + _DIGITS * 2, None)  # type: ignore[arg-type]
