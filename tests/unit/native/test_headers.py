"""The headers of a request as text, as the plain oracle has them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.headers import decode, is_plain_key
from tests.reference import headers as oracle

_BYTES = st.binary(max_size=12) | st.sampled_from([b"accept", b"host", b"\xe9", b"", b"\0"])


@given(st.lists(st.tuples(_BYTES, _BYTES), max_size=8))
def test_any_headers_are_what_the_oracle_says(pairs: list[tuple[bytes, bytes]]) -> None:
    assert decode(pairs) == oracle.decode(pairs)


def test_a_name_that_stands_twice_is_left_to_whoever_knows_it() -> None:
    assert decode([(b"host", b"a"), (b"accept", b"b"), (b"host", b"a")]) is None


def test_pairs_may_come_as_lists() -> None:
    pairs: Any = ([b"host", b"a"], [b"accept", b"b"])
    assert decode(pairs) == {"host": "a", "accept": "b"}


@pytest.mark.parametrize("pairs", [[("host", b"a")], [(b"host", "a")], [(None, b"a")], [(b"host", None)]])
def test_what_is_not_bytes_is_refused(pairs: Any) -> None:
    with pytest.raises(TypeError):
        decode(pairs)


_SIGNS = st.sampled_from([*'aK~!-_ "\\\t\n\x7f\x80é٣', "4242424242424242", "42"])


@given(st.lists(_SIGNS, max_size=8).map("".join))
def test_a_key_is_plain_if_the_oracle_says_so(header: str) -> None:
    assert is_plain_key(header) == oracle.is_plain_key(header)


def test_a_plain_key_has_the_length_of_keys() -> None:
    longest = "k" * limits.idempotency_key_chars_max
    assert [is_plain_key(key) for key in ("", "k", longest, longest + "k")] == [False, True, True, False]
