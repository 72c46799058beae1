"""How an operator gets in, as that operator changes it: password, authenticator, sessions."""

from fastpay.admin.console.operator_ports import AccessStore, OwnSession
from fastpay.admin.console.passwords import Passwords, Refused, secret_of, shown_secret
from fastpay.admin.console.ports import Operator
from fastpay.admin.console.sign_in import SignIn
from fastpay.admin.console.tokens import digest_of

_WRONG_CODE = "The code is wrong. Enter the one that your authenticator shows for the new key."
_NOTHING_YET = "You have no password. Add one together with an authenticator."
LAST_WAY = "This is your last way to sign in. Add another one first."


class OwnAccess:
    """Changes it. `token` is always that of the session, which goes on where others end."""

    def __init__(self, store: AccessStore, sign_in: SignIn, passwords: Passwords) -> None:
        self._store = store
        self._sign_in = sign_in
        self._passwords = passwords

    async def has_password(self, operator: Operator) -> bool:
        """Tell whether there is a password with an authenticator."""
        return await self._store.has_password(operator.operator_id)

    async def sessions(self, operator: Operator, token: str) -> list[OwnSession]:
        """Return the open sessions, newest first."""
        return await self._store.sessions(operator.operator_id, digest_of(token))

    async def prove(self, operator: Operator, token: str, password: str, code: str) -> None:
        """Confirm that it is still the operator. Wrong tries count as at the sign-in. Raises: Refused."""
        _, step = await self._sign_in.check(operator.name, password, code)
        if not await self._store.prove(operator.operator_id, step, digest_of(token)):
            raise Refused("This code was used before. Wait for the next one.")

    async def change_password(self, operator: Operator, token: str, password: str) -> None:
        """Change the password and end the other sessions. Raises: Refused."""
        hashed = await self._passwords.hash(password)
        if not await self._store.change_password(operator.operator_id, hashed, digest_of(token)):
            raise Refused(_NOTHING_YET)

    def new_secret(self, token: str, key: str) -> str:
        """Return the secret of a new authenticator for the form with this key, in base 32."""
        return shown_secret(secret_of(f"{token} {key}"))

    async def change_authenticator(
        self, operator: Operator, token: str, key: str, code: str, password: str | None
    ) -> None:
        """Change the authenticator, or add one with a password; end the other sessions. Raises: Refused."""
        secret = secret_of(f"{token} {key}")
        step = self._passwords.step_of(secret, code)
        if step is None:
            raise Refused(_WRONG_CODE)
        hashed = None if password is None else await self._passwords.hash(password)
        made = (operator.operator_id, secret, step, hashed, digest_of(token))
        if not await self._store.change_authenticator(*made):
            raise Refused(_NOTHING_YET)

    async def remove_password(self, operator: Operator, token: str) -> None:
        """Remove the password with its authenticator and end the other sessions. Raises: Refused."""
        if await self._store.remove_password(operator.operator_id, digest_of(token)) == "last_way":
            raise Refused(LAST_WAY)

    async def end_others(self, operator: Operator, token: str) -> None:
        """End the other sessions."""
        await self._store.end_others(operator.operator_id, digest_of(token))
