"""Tokens of pages for cardholders: they tell nothing, and cannot be made up."""

from hypothesis import given
from hypothesis import strategies as st

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.challenge_ports import Challenge
from fastpay.store.challenge_tokens import SealedChallengeTokens

CHALLENGE = Challenge(Scope("0199e9b7e0007abc8def012345678901", False), 1_790_000_000)


def make(secret: bytes = b"s" * 32) -> SealedChallengeTokens:
    return SealedChallengeTokens(secret, clock=SystemClock())


def test_every_instance_of_the_installation_opens_what_one_has_sealed() -> None:
    assert make().open(make().seal(CHALLENGE)) == CHALLENGE
    assert make(b"another").open(make().seal(CHALLENGE)) is None


def test_a_token_says_nothing_and_is_another_one_each_time() -> None:
    tokens = make()
    one, other = tokens.seal(CHALLENGE), tokens.seal(CHALLENGE)
    assert one != other
    assert one.isascii()
    assert one.replace("-", "").replace("_", "").isalnum()
    assert len(one) <= limits.challenge_token_chars_max
    assert CHALLENGE.scope.tenant_id not in one


@given(st.text() | st.text(alphabet="ABCabc019-_", max_size=200))
def test_what_was_made_up_opens_nothing(token: str) -> None:
    assert make().open(token) is None


def test_a_changed_token_opens_nothing() -> None:
    token = make().seal(CHALLENGE)
    for at in range(len(token) - 1):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        assert make().open(changed) is None
    assert make().open("A" * (limits.challenge_token_chars_max + 1)) is None
