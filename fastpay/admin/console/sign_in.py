"""Who may use the console: invitations, passwords with a second factor, sessions.

A password is hashed with Argon2id, and a code of RFC 6238 goes with it. An unknown name takes as long as a
wrong password, and gets the same answer. Tokens are 256 random bits, and only their digests are stored.
"""

import asyncio
import base64
import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import argon2
import pyotp

from fastpay import limits
from fastpay.admin.console.ports import NewCredentials, Operator, OperatorStore
from fastpay.admin.console.tokens import digest_of, is_same, make_token
from fastpay.clock import Clock
from fastpay.errors import Overloaded

REFUSED = "The name, the password or the code is wrong, or too many attempts failed. Try again in a while."
_CODE_SECONDS = 30

_Result = TypeVar("_Result")


class Refused(Exception):
    """What was typed is not accepted. The message is for the person."""


class Signed(NamedTuple):
    """An operator with the token of a session."""

    operator: Operator
    token: str


class SignIn:
    """Checks what people type, and keeps their sessions."""

    def __init__(self, store: OperatorStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._hasher = argon2.PasswordHasher()
        # Compared with when there is no such operator, so that names cannot be found out by the time. Made at
        # the first sign-in: a hash costs more than the rest of the start.
        self._nobody: str | None = None
        # A hash takes 64 MB and tens of milliseconds of one core.
        self._hashing = asyncio.Semaphore(1)
        self._waiting = 0

    async def invited(self, token: str) -> Operator | None:
        """Return whose invitation a token is, while it is good."""
        return await self._store.invited(digest_of(token))

    def secret_for(self, token: str) -> str:
        """Return the secret of the second factor that goes with an invitation, in base 32.

        Derived from the token, so that nothing is stored before the invitation is accepted.
        """
        derived = hmac.digest(token.encode(), b"fastpay second factor", "sha256")[:20]
        return base64.b32encode(derived).decode()

    async def accept(self, token: str, password: str, code: str) -> Signed:
        """Use an invitation. Raises: Refused."""
        operator = await self.invited(token)
        if operator is None:
            raise Refused("This invitation was used or has expired. Ask for another one.")
        if not limits.password_chars_min <= len(password) <= limits.password_chars_max:
            raise Refused(
                f"A password has {limits.password_chars_min} to {limits.password_chars_max} characters."
            )
        secret = self.secret_for(token)
        step = self._step_of(base64.b32decode(secret), code, 0)
        if step is None:
            raise Refused("The code is wrong. Enter the one that your authenticator shows now.")
        hashed = await self._in_turn(lambda: self._hasher.hash(password))
        session = make_token(self._clock)
        made = NewCredentials(hashed, base64.b32decode(secret), step, digest_of(session))
        if not await self._store.accept(digest_of(token), operator, made):
            raise Refused("This invitation was used or has expired. Ask for another one.")
        return Signed(operator, session)

    async def sign_in(self, name: str, password: str, code: str) -> Signed:
        """Begin a session. Raises: Refused, Overloaded if many people sign in."""
        found = await self._store.find(name[: limits.operator_name_chars_max])
        if self._nobody is None:
            self._nobody = await self._in_turn(lambda: self._hasher.hash(make_token(self._clock)))
        stored = self._nobody if found is None else found.password_hash
        is_right = await self._in_turn(lambda: _is_right(self._hasher, stored, password))
        if found is None or found.is_locked:
            raise Refused(REFUSED)
        step = self._step_of(found.secret, code, found.last_step)
        if not is_right or step is None:
            await self._store.sign_in_failed(found.operator.operator_id)
            raise Refused(REFUSED)
        session = make_token(self._clock)
        if not await self._store.sign_in(found.operator.operator_id, step, digest_of(session)):
            raise Refused(REFUSED)
        return Signed(found.operator, session)

    async def find(self, token: str) -> Operator | None:
        """Return whose session a token is."""
        return await self._store.session(digest_of(token))

    async def sign_out(self, token: str, *, everywhere: bool) -> None:
        """End a session, or all of its operator's."""
        await self._store.sign_out(digest_of(token), everywhere=everywhere)

    def _step_of(self, secret: bytes, code: str, last_step: int) -> int | None:
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


def _is_right(hasher: argon2.PasswordHasher, stored: str, password: str) -> bool:
    try:
        return hasher.verify(stored, password[: limits.password_chars_max])
    except argon2.exceptions.VerificationError:
        return False
