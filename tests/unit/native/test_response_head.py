"""The fields of a response, as the plain oracle has them."""

from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.response_head import fields_of
from tests.reference import response_head as oracle

_FIELDS = st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=4)), max_size=3)
_UNCACHED = (b"cache-control", b"no-store")


@given(
    st.none() | st.just(b"text/csv"),
    st.none() | st.sampled_from([0, 1, 9, 10, 99, 100, 1_234, 70_000]).map(bytes),
    _FIELDS.map(tuple),
    _FIELDS,
)
def test_any_fields_are_those_of_the_oracle(
    content_type: bytes | None,
    body: bytes | None,
    more: tuple[tuple[bytes, bytes], ...],
    echoes: list[tuple[bytes, bytes]],
) -> None:
    arguments = (content_type, body, "req_1", _UNCACHED, more, echoes)
    assert fields_of(*arguments) == oracle.fields_of(*arguments)


def test_the_echoes_that_were_given_stay_as_they_are() -> None:
    echoes = [(b"stripe-version", b"2025-09-30")]
    fields_of(None, b"", "req_1", _UNCACHED, ((b"etag", b"1"),), echoes)
    assert echoes == [(b"stripe-version", b"2025-09-30")]
