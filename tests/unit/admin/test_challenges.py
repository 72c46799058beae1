"""Challenges of passkeys, and the place that passkeys are good for."""

import pytest

from fastpay import limits
from fastpay.admin.console.challenges import EXPIRED, Challenges
from fastpay.admin.console.passwords import Refused
from fastpay.admin.console.place import Place, place_of
from tests.unit.api.fakes import FakeClock

KEYS = {"new": b"n" * 32, "old": b"o" * 32}


def test_a_challenge_is_good_for_its_purpose_and_holder_until_its_end() -> None:
    clock = FakeClock()
    challenges = Challenges(lambda: KEYS, clock)
    made = challenges.make("sign in", "a visitor")
    assert challenges.check(made, "sign in", "a visitor").expires_ms == clock.now_ms() + limits.challenge_ms
    for purpose, holder in (("confirm", "a visitor"), ("sign in", "another"), ("sign in", "")):
        with pytest.raises(Refused, match="another page"):
            challenges.check(made, purpose, holder)
    clock.moment_ms += limits.challenge_ms - 1
    challenges.check(made, "sign in", "a visitor")
    clock.moment_ms += 1
    with pytest.raises(Refused, match=EXPIRED):
        challenges.check(made, "sign in", "a visitor")


def test_every_bit_of_a_challenge_counts_and_no_two_are_the_same() -> None:
    challenges = Challenges(lambda: KEYS, FakeClock())
    made = challenges.make("sign in", "x")
    assert len({challenges.make("sign in", "x") for _ in range(50)}) == 50
    for bit in range(8 * len(made)):
        changed = bytearray(made)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Refused):
            challenges.check(bytes(changed), "sign in", "x")
    for length in range(len(made)):
        with pytest.raises(Refused):
            challenges.check(made[:length], "sign in", "x")
    with pytest.raises(Refused):
        challenges.check(made + b"\0", "sign in", "x")


def test_a_challenge_made_under_an_older_key_is_still_good() -> None:
    clock = FakeClock()
    made = Challenges(lambda: {"old": KEYS["old"]}, clock).make("sign in", "x")
    Challenges(lambda: KEYS, clock).check(made, "sign in", "x")
    with pytest.raises(Refused):
        Challenges(lambda: {"new": KEYS["new"]}, clock).check(made, "sign in", "x")


def test_a_passkey_is_good_for_the_name_of_the_console() -> None:
    hint = "http://localhost:8001/console/"
    for host, configured, expected in (
        ("localhost:8001", None, Place("localhost", ("https://localhost:8001", "http://localhost:8001"))),
        ("pay.localhost", None, Place("pay.localhost", ("https://pay.localhost", "http://pay.localhost"))),
        ("ops.example", None, Place("ops.example", ("https://ops.example",))),
        ("OPS.example:8443", None, Place("ops.example", ("https://ops.example:8443",))),
        ("127.0.0.1:8001", None, Place("", (), hint)),
        ("[::1]:8001", None, Place("", (), hint)),
        ("10.0.0.5:8001", None, Place("", ())),
        ("[fe80::1]:8001", None, Place("", ())),
        ("", None, Place("", ())),
        ("a b", None, Place("", ())),
        ("evil.example@ops.example", None, Place("", ())),
        # What the settings say wins over what the request says.
        ("evil.example", "https://ops.example", Place("ops.example", ("https://ops.example",))),
        ("x", "https://ops.example:8443", Place("ops.example", ("https://ops.example:8443",))),
        ("x", "http://10.0.0.5:8001", Place("", ("http://10.0.0.5:8001",))),
    ):
        assert place_of({"host": host}, configured) == expected, (host, configured)
