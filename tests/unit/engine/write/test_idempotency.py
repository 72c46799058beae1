"""Idempotency keys: what stands for them in the database."""

import hashlib
import itertools

from hypothesis import given
from hypothesis import strategies as st

from fastpay.domain.identifiers import Scope
from fastpay.engine.write.idempotency import key_digest

SCOPES = st.builds(Scope, st.sampled_from(("a" * 32, "b" * 32)), st.booleans())
KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)


@given(SCOPES, KEYS, st.booleans(), SCOPES, KEYS, st.booleans())
def test_digests_are_equal_for_equal_keys_of_equal_scopes_alone(
    scope: Scope, key: str, public: bool, other_scope: Scope, other_key: str, other_public: bool
) -> None:
    same = (scope, key, public) == (other_scope, other_key, other_public)
    digest = key_digest(scope, key, is_publishable=public)
    assert (digest == key_digest(other_scope, other_key, is_publishable=other_public)) == same
    assert len(digest) == 16


def test_a_key_that_looks_like_a_mode_is_still_only_a_key() -> None:
    scopes = [Scope("a" * 32, False), Scope("a" * 32, True)]
    keys = ["k", "livek", "testk", "live", "test"]
    digests = [
        key_digest(scope, key, is_publishable=public)
        for scope, key, public in itertools.product(scopes, keys, (False, True))
    ]
    assert len(set(digests)) == len(digests)


@given(SCOPES, KEYS, st.booleans())
def test_a_key_has_the_digest_that_is_stored_of_it(scope: Scope, key: str, public: bool) -> None:
    """Rows of earlier releases are found by it."""
    mode, mark = "live" if scope.livemode else "test", "\0" if public else ""
    text = f"{scope.tenant_id}{mode}{mark}{key}".encode()
    assert key_digest(scope, key, is_publishable=public) == hashlib.blake2b(text, digest_size=16).digest()
