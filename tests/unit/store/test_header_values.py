"""fastpay/store/header_values.py: values that only the tenant's key opens, by mode and name."""

import pytest

from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.store.header_values import SealedHeaderValues
from fastpay.store.sealing import SecretUnreadable

KEY, SCOPE = b"k" * 32, Scope("1" * 32, False)
HEADERS = {"Authorization": "Bearer abc", "X-Two": "2"}
SEAL = SealedHeaderValues(clock=SystemClock())


def test_what_was_sealed_is_opened_and_what_never_was_is_as_it_is() -> None:
    sealed = SEAL.seal(KEY, SCOPE, HEADERS)
    assert sealed.keys() == HEADERS.keys()
    assert not set(sealed.values()) & set(SEAL.seal(KEY, SCOPE, HEADERS).values())
    assert "abc" not in repr(sealed)
    assert SEAL.open(KEY, SCOPE, sealed | {"X-Old": "plain"}) == HEADERS | {"X-Old": "plain"}
    assert SEAL.open(KEY, SCOPE, {}) == {}


@pytest.mark.parametrize(
    ("key", "scope", "name"),
    [
        (b"l" * 32, SCOPE, "X-Two"),
        (KEY, Scope("1" * 32, True), "X-Two"),
        (KEY, Scope("2" * 32, False), "X-Two"),
        (KEY, SCOPE, "X-Three"),
    ],
    ids=["another key", "another mode", "another tenant", "another name"],
)
def test_a_value_that_was_moved_is_not_opened(key: bytes, scope: Scope, name: str) -> None:
    sealed = SEAL.seal(KEY, SCOPE, HEADERS)["X-Two"]
    assert SEAL.open(KEY, SCOPE, {"X-Two": sealed}) == {"X-Two": "2"}
    with pytest.raises(SecretUnreadable):
        SEAL.open(key, scope, {name: sealed})


@pytest.mark.parametrize("value", [" sealed ", " sealed AAAA", " sealed no base64!"])
def test_a_damaged_value_is_not_opened(value: str) -> None:
    with pytest.raises(SecretUnreadable):
        SEAL.open(KEY, SCOPE, {"X-Two": value})
