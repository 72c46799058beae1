"""Who may use the console: invitations, passwords with a second factor, sessions.

An unknown name takes as long as a wrong password, and gets the same answer. Tokens are 256 random bits, and
only their digests are stored.
"""

from typing import NamedTuple

from fastpay import limits
from fastpay.admin.console.passwords import Passwords, Refused, secret_of
from fastpay.admin.console.ports import NewCredentials, Operator, OperatorStore
from fastpay.admin.console.tokens import digest_of, make_token
from fastpay.clock import Clock

USED_UP = "This invitation was used or has expired. Ask for another one."
_REFUSED = "The name, the password or the code is wrong, or too many attempts failed. Try again in a while."
_WRONG_CODE = "The code is wrong. Enter the one that your authenticator shows now."


class Signed(NamedTuple):
    """An operator with the token of a session."""

    operator: Operator
    token: str


class SignIn:
    """Checks what people type, and keeps their sessions."""

    def __init__(self, store: OperatorStore, passwords: Passwords, clock: Clock) -> None:
        self._store = store
        self._passwords = passwords
        self._clock = clock

    async def invited(self, token: str) -> Operator | None:
        """Return whose invitation a token is, while it is good."""
        return await self._store.invited(digest_of(token))

    async def accept(self, token: str, password: str, code: str, agent: str) -> Signed:
        """Use an invitation. Raises: Refused."""
        operator = await self.invited(token)
        if operator is None:
            raise Refused(USED_UP)
        secret = secret_of(token)
        step = self._passwords.step_of(secret, code)
        if step is None:
            raise Refused(_WRONG_CODE)
        hashed = await self._passwords.hash(password)
        session = make_token(self._clock)
        made = NewCredentials(hashed, secret, step, digest_of(session), agent)
        if not await self._store.accept(digest_of(token), operator, made):
            raise Refused(USED_UP)
        return Signed(operator, session)

    async def sign_in(self, name: str, password: str, code: str, agent: str) -> Signed:
        """Begin a session. Raises: Refused, Overloaded if many people sign in."""
        operator, step = await self.check(name, password, code)
        session = make_token(self._clock)
        if not await self._store.sign_in(operator.operator_id, step, digest_of(session), agent):
            raise Refused(_REFUSED)
        return Signed(operator, session)

    async def check(self, name: str, password: str, code: str) -> tuple[Operator, int]:
        """Compare what somebody typed, and return whose it is with the time step of the code.

        What is wrong is counted: several in a row lock the operator for a while. Raises: Refused, Overloaded.
        """
        found = await self._store.find(name.replace("\0", "")[: limits.operator_name_chars_max])
        stored = None if found is None else found.password_hash
        is_right = await self._passwords.is_right(stored, password)
        if found is None or found.is_locked:
            raise Refused(_REFUSED)
        step = self._passwords.step_of(found.secret, code, found.last_step)
        if not is_right or step is None:
            await self._store.sign_in_failed(found.operator.operator_id)
            raise Refused(_REFUSED)
        return found.operator, step

    async def find(self, token: str) -> Operator | None:
        """Return whose session a token is."""
        return await self._store.session(digest_of(token))

    async def sign_out(self, token: str, *, everywhere: bool) -> None:
        """End a session, or all of its operator's."""
        await self._store.sign_out(digest_of(token), everywhere=everywhere)
