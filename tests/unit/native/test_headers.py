"""The headers of a request as text, as the plain oracle has them."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay._native.headers import SPECIAL, Headers, decode, is_plain_key
from fastpay._native.sampling import Sampler
from tests.reference import headers as oracle

_NAMES = (
    b"authorization",
    b"content-length",
    b"stripe-version",
    b"idempotency-key",
    b"x-other-header",
    *SPECIAL,
)
_TEXTS = (
    b"Bearer sk_test_1",
    b"Bearer ",
    b"bearer x",
    b"Basic eDo=",
    b"12",
    b"-1",
    b"012",
    b"9" * 18,
    b"9" * 19,
    b"1\xb2",
    b"2025-09-30",
    b"2025-09-30.clover",
    b"2025-02-30",
    b"order-1",
    b"order 1",
    b"\xe9",
    b"",
)
_ASKED = (*(name.decode() for name in _NAMES), "", "\xe9", "host")
_BYTES = st.binary(max_size=12) | st.sampled_from([b"accept", b"host", b"\xe9", b"", b"\0"])


@given(st.lists(st.tuples(_BYTES, _BYTES), max_size=8))
def test_any_headers_are_what_the_oracle_says(pairs: list[tuple[bytes, bytes]]) -> None:
    found, expected = decode(pairs), oracle.decode(pairs)
    assert (found is None) == (expected is None)
    assert dict(found or {}) == (expected or {})


@given(st.lists(st.tuples(st.sampled_from(_NAMES), st.sampled_from(_TEXTS)), max_size=6), st.booleans())
def test_what_the_pipeline_asks_is_what_the_oracle_says(
    pairs: list[tuple[bytes, bytes]], is_safe: bool
) -> None:
    headers, plain = decode(pairs), oracle.decode(pairs)
    if headers is None or plain is None:
        assert headers is plain
        return
    assert headers.is_special == oracle.is_special(plain)
    assert headers.bearer_token() == oracle.bearer_token(plain)
    assert headers.content_length() == oracle.content_length(plain)
    assert headers.plain_key() == oracle.plain_key(plain)
    assert headers.plain_echoes(is_safe) == oracle.plain_echoes(plain, is_safe)
    assert headers.plain_key() == oracle.plain_key(plain), "and again, since it is remembered"
    for name in _ASKED:
        assert headers.get(name) == plain.get(name)
        assert headers.get(name, "none") == plain.get(name, "none")
        assert (name in headers) == (name in plain)


def test_headers_are_a_mapping() -> None:
    headers = Headers([(b"host", b"a"), (b"accept", b"\xe9")])
    assert isinstance(headers, Mapping)
    assert (list(headers), list(headers.values()), len(headers)) == (["host", "accept"], ["a", "\xe9"], 2)
    assert headers == {"host": "a", "accept": "\xe9"}
    assert headers["host"] == "a"
    with pytest.raises(KeyError, match="origin"):
        headers["origin"]
    assert None not in headers
    assert "accept" in repr(headers)
    assert "\xe9" not in repr(headers), "a value may be secret"


@pytest.mark.parametrize("count", [3, 30])
def test_a_name_is_found_twice_among_few_and_many(count: int) -> None:
    pairs = [(b"x-%d" % number, b"") for number in range(count)]
    assert decode(pairs) is not None
    assert decode([*pairs, (b"x-1", b"")]) is None


def test_a_name_that_stands_twice_is_left_to_whoever_knows_it() -> None:
    assert decode([(b"host", b"a"), (b"accept", b"b"), (b"host", b"a")]) is None


def test_pairs_may_come_as_lists() -> None:
    pairs: Any = ([b"host", b"a"], [b"accept", b"b"])
    assert dict(decode(pairs) or {}) == {"host": "a", "accept": "b"}


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


@given(
    st.lists(
        st.sampled_from(
            [None, b"00-%b-%b-01" % (b"1" * 32, b"2" * 16), b"00-%b-%b-00" % (b"1" * 32, b"2" * 16), b"x"]
        ),
        max_size=20,
    ),
    st.booleans(),
)
def test_a_request_is_drawn_by_its_traceparent(parents: list[bytes | None], follows: bool) -> None:
    samplers = [Sampler(0.5, b"seed" * 2, follows_callers=follows, per_second_max=5) for _ in "ab"]
    for number, parent in enumerate(parents):
        headers = Headers([] if parent is None else [(b"traceparent", parent)])
        assert headers.is_drawn(samplers[0], number) == samplers[1].is_drawn(parent, number)
