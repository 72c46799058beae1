"""The second version of request signatures: the idempotency key counts, and is never taken for the target."""

import hashlib

from hypothesis import example, given
from hypothesis import strategies as st

from fastpay._native import signature
from fastpay.signing import sign_request
from tests.reference import signature as oracle
from tests.unit.native.test_signature import (
    BODY,
    GOOD,
    KEY,
    NOW,
    SECOND,
    SECRET,
    SIGNERS,
    V1,
    WRONG,
    check,
    hashing,
)

__all__ = ["hashing"]


def test_the_idempotency_key_stands_before_the_digest() -> None:
    nothing = hashlib.sha256(b"").hexdigest()
    for key, spelled in ((b"order-1", "order-1"), (b'"a.b 5%"', '"a%2Eb 5%25"'), (b"..", "%2E%2E")):
        expected = oracle.digest(SECRET, f"{NOW}.POST./v1/x.{spelled}.{nothing}".encode()).hex()
        header = f"t={NOW},v2={expected}"
        assert signature.verify_request(SIGNERS, header.encode(), "POST", b"/v1/x", b"", NOW, key) == NOW
        assert sign_request(SECRET.decode(), "POST", "/v1/x", idempotency_key=key, timestamp=NOW) == header


def test_every_bit_of_the_idempotency_key_counts(hashing: bool) -> None:
    assert check(SECOND, key=KEY)
    for place in range(8 * len(KEY)):
        changed = bytearray(KEY)
        changed[place // 8] ^= 1 << place % 8
        assert not check(SECOND, key=bytes(changed)), place
    for other in (b"", KEY[:-1], KEY + b"0", b'"order-1.2"', b"order-1%2E2"):
        assert not check(SECOND, key=other), other


def test_where_the_key_must_be_covered_the_first_version_is_not_enough() -> None:
    assert check(SECOND, key=KEY, covers_key=True)
    assert check(GOOD, key=KEY)
    assert not check(GOOD, key=KEY, covers_key=True)
    assert not check(GOOD, covers_key=True)


def test_a_second_version_decides_whatever_the_first_one_is() -> None:
    for both in (SECOND + b"," + V1, b"%s,%s" % (V1, SECOND), SECOND + b"," + WRONG):
        assert check(both, key=KEY)
        assert check(both, key=KEY, covers_key=True)
        assert not check(both, key=b"another")
    assert not check(GOOD + b",v2=" + b"0" * 64, key=KEY)


_KEYS = st.binary(max_size=20).map(lambda key: key.replace(b"\0", b"."))


@given(first=st.tuples(_KEYS, _KEYS), second=st.tuples(_KEYS, _KEYS))
@example(first=(b"/x?a", b"b.c"), second=(b"/x?a.b", b"c"))
@example(first=(b"/x?a", b"b.c"), second=(b"/x?a", b"b%2Ec"))
@example(first=(b"/x?a.b", b""), second=(b"/x?a", b"b."))
def test_what_is_signed_has_one_target_and_one_key(
    first: tuple[bytes, bytes], second: tuple[bytes, bytes]
) -> None:
    headers = [oracle.signed((SECRET,), "POST", target, BODY, NOW, key) for target, key in (first, second)]
    for header, (target, key) in zip(headers, (second, first), strict=True):
        assert check(header.encode(), target=target, key=key) == (first == second)
