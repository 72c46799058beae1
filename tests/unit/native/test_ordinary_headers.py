"""The list of headers that the short way may ignore, compared with its oracle."""

from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.ordinary_headers import HARMLESS, OF_TRACES, read_headers
from tests.reference import ordinary_headers as oracle

KNOWN = (*HARMLESS, *OF_TRACES, *oracle.READ)
# Of ours, of a body, and what may come to mean something: never harmless.
MEANINGFUL = (
    b"", b"content-length", b"content-type", b"cookies", b"expect", b"fastpay-server-timing",
    b"fastpay-signature", b"fastpay-timeout-ms", b"idempotency-key", b"if-match", b"range", b"stripe-account",
    b"stripe-context", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"x" * 64,
)  # fmt: skip
NAMES = st.one_of(
    st.sampled_from([*KNOWN, *oracle.READ, *MEANINGFUL]),
    st.sampled_from(KNOWN).flatmap(lambda name: st.sampled_from([name[:-1], name + b"x", b"y" + name[1:]])),
)
DATES = st.tuples(st.integers(0, 10_000), st.integers(0, 13), st.integers(0, 32)).map(
    lambda date: b"%04d-%02d-%02d" % date
)
VERSIONS = st.tuples(DATES, st.sampled_from([b"", b".", b".clover", b".Clover", b"x", b"." + b"a" * 60]))
VALUES = st.one_of(st.just(b"1"), st.binary(max_size=70), VERSIONS.map(b"".join))


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8), st.booleans(), st.booleans())
def test_headers_are_read_as_the_oracle_reads_them(
    headers: list[tuple[bytes, bytes]], has_key: bool, is_tracing: bool
) -> None:
    headers = [*headers, *([(b"authorization", b"Bearer k")] if has_key else [])]
    assert read_headers(headers, is_tracing=is_tracing) == oracle.read_headers(headers, is_tracing)


def test_each_harmless_header_is_ignored_and_no_other_is() -> None:
    for name in KNOWN:
        for is_tracing in (True, False):
            found = read_headers([(name, b"2025-09-30"), (b"authorization", b"k")], is_tracing=is_tracing)
            is_read_twice = name == b"authorization"
            assert (found is None) == is_read_twice, name
            if found is not None and name in OF_TRACES:
                assert (b"2025-09-30" in found) == is_tracing
    for name in MEANINGFUL:
        assert name not in KNOWN
        assert read_headers([(name, b"1"), (b"authorization", b"k")], is_tracing=False) is None


@given(VERSIONS.map(b"".join))
def test_a_version_is_a_date_and_a_name_behind_it_or_none(version: bytes) -> None:
    headers = [(b"authorization", b"k"), (b"stripe-version", version)]
    assert read_headers(headers, is_tracing=False) == oracle.read_headers(headers, False)
