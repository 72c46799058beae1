"""Hashes of passwords take what they should; servers that the tests start as forks make cheaper ones."""

import argon2
import pytest

from fastpay.admin.console.passwords import Passwords
from fastpay.clock import SystemClock


async def test_a_hash_takes_what_rfc_9106_recommends() -> None:
    passwords = Passwords(SystemClock())
    stored = await passwords.hash("correct horse battery")
    # RFC 9106 4, the second recommended option: 64 MiB, three passes, four lanes.
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await passwords.is_right(stored, "correct horse battery")
    assert not await passwords.is_right(stored, "correct horse batterz")


async def test_a_name_that_nobody_has_takes_a_comparison_of_the_same_cost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared: list[str] = []

    class Hasher:
        def hash(self, password: str) -> str:
            return f"hash of {password}"

        def verify(self, stored: str, _password: str) -> bool:
            compared.append(stored)
            return True

    monkeypatch.setattr(argon2, "PasswordHasher", Hasher)
    passwords = Passwords(SystemClock())
    assert not await passwords.is_right(None, "anything")
    assert await passwords.is_right("stored", "anything")
    assert len(compared) == 2
    assert compared[0].startswith("hash of ")
