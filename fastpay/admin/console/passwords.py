"""Passwords, hashed with Argon2id, and the codes of RFC 6238 that go with them."""

import asyncio
import base64
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeVar

import argon2
import pyotp

from fastpay import limits
from fastpay.admin.console.tokens import is_same, make_token
from fastpay.clock import Clock
from fastpay.errors import Overloaded

_CODE_SECONDS = 30

_Result = TypeVar("_Result")


class Refused(Exception):
    """What somebody gave is not accepted. The message is for the person."""


class Passwords:
    """Hashes and compares, one at a time: a hash takes 64 MB and tens of milliseconds of one core."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hasher = argon2.PasswordHasher()
        # Compared with when there is no such operator, so that names cannot be found out by the time. Made at
        # the first sign-in: a hash costs more than the rest of the start.
        self._nobody: str | None = None
        self._hashing = asyncio.Semaphore(1)
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Return what is stored of a new password. Raises: Refused, Overloaded."""
        if not limits.password_chars_min <= len(password) <= limits.password_chars_max:
            raise Refused(
                f"A password has {limits.password_chars_min} to {limits.password_chars_max} characters."
            )
        return await self._in_turn(lambda: self._hasher.hash(password))

    async def is_right(self, stored: str | None, password: str) -> bool:
        """Compare a password, which takes as long if nothing is stored. Raises: Overloaded."""
        if self._nobody is None:
            self._nobody = await self._in_turn(lambda: self._hasher.hash(make_token(self._clock)))
        expected = self._nobody if stored is None else stored
        is_right = await self._in_turn(lambda: _is_right(self._hasher, expected, password))
        return is_right and stored is not None

    def step_of(self, secret: bytes, code: str, last_step: int = 0) -> int | None:
        """Return the time step of a code: the present one or a neighbour, later than the last one used."""
        totp = pyotp.TOTP(base64.b32encode(secret).decode(), interval=_CODE_SECONDS)
        now = self._clock.now_ms() // 1000 // _CODE_SECONDS
        for step in (now, now - 1, now + 1):
            moment = datetime.fromtimestamp(step * _CODE_SECONDS, UTC)
            if step > last_step and is_same(totp.at(moment), code.strip().replace(" ", "")):
                return step
        return None

    async def _in_turn(self, work: Callable[[], _Result]) -> _Result:
        """Run something slow in a thread, one at a time. Raises: Overloaded."""
        if self._waiting >= limits.sign_ins_waiting_max:
            raise Overloaded("Many people sign in right now. Try again in a moment.")
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1


def secret_of(token: str) -> bytes:
    """Return a secret for an authenticator. It follows from a token, so nothing is stored before its use."""
    return hmac.digest(token.encode(), b"fastpay second factor", "sha256")[:20]


def shown_secret(secret: bytes) -> str:
    """Return a secret as authenticator apps take it, in base 32."""
    return base64.b32encode(secret).decode()


def _is_right(hasher: argon2.PasswordHasher, stored: str, password: str) -> bool:
    try:
        return hasher.verify(stored, password[: limits.password_chars_max])
    except argon2.exceptions.VerificationError:
        return False
