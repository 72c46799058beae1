"""The headers of a request as text, as the plain oracle has them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.headers import decode
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
