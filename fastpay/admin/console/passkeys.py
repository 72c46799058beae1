"""Passkeys (WebAuthn): a way in of its own, in place of a password with a code.

The authenticator has to verify the person, by a PIN or a finger, so that a passkey is two factors. It is
found by itself, without a name. What a stranger sends goes through the library's parsers, which raise what
they like: whatever it is, the answer is that the passkey was not accepted.
"""

import uuid
from collections.abc import Callable
from typing import TypeVar

import webauthn
from webauthn.helpers import parse_client_data_json, structs

from fastpay import limits
from fastpay.admin.console.challenges import Challenges
from fastpay.admin.console.operator_ports import (
    NewPasskey,
    OwnPasskey,
    Passkey,
    PasskeyStore,
    Spent,
)
from fastpay.admin.console.own_access import LAST_WAY
from fastpay.admin.console.passwords import Refused
from fastpay.admin.console.place import Place
from fastpay.admin.console.ports import Operator
from fastpay.admin.console.sign_in import USED_UP, Signed
from fastpay.admin.console.tokens import digest_of, make_token
from fastpay.clock import Clock

REFUSED = "This passkey was not accepted. Try again, or sign in with your password and a code."
_TAKEN = "This passkey could not be added: it is registered already, or you have too many."
_COPIED = (
    "This passkey was not accepted: it may have been copied, since its counter went back. "
    "Sign in another way, and remove it."
)
_SELECTION = structs.AuthenticatorSelectionCriteria(
    resident_key=structs.ResidentKeyRequirement.REQUIRED,
    user_verification=structs.UserVerificationRequirement.REQUIRED,
)

_Result = TypeVar("_Result")


class Passkeys:
    """Asks for passkeys, and checks what comes. `holder` is the secret of who is asked."""

    def __init__(self, store: PasskeyStore, challenges: Challenges, clock: Clock) -> None:
        self._store = store
        self._challenges = challenges
        self._clock = clock

    def ask(self, place: Place, purpose: str, holder: str) -> str:
        """Return the options with which a browser asks for a passkey, empty if there is none here."""
        if not place.rp_id:
            return ""
        options = webauthn.generate_authentication_options(
            rp_id=place.rp_id,
            challenge=self._challenges.make(purpose, holder),
            timeout=limits.challenge_ms,
            user_verification=structs.UserVerificationRequirement.REQUIRED,
        )
        return webauthn.options_to_json(options)

    async def offer(self, place: Place, purpose: str, holder: str, operator: Operator) -> str:
        """Return the options with which a browser makes a passkey, empty if there is none here."""
        if not place.rp_id:
            return ""
        known = await self._store.passkeys(operator.operator_id)
        options = webauthn.generate_registration_options(
            rp_id=place.rp_id,
            rp_name="fastpay",
            user_id=operator.operator_id.bytes,
            user_name=operator.name,
            challenge=self._challenges.make(purpose, holder),
            timeout=limits.challenge_ms,
            authenticator_selection=_SELECTION,
            exclude_credentials=[
                structs.PublicKeyCredentialDescriptor(id=one.credential_id) for one in known
            ],
        )
        return webauthn.options_to_json(options)

    async def sign_in(self, place: Place, holder: str, given: str, agent: str) -> Signed:
        """Begin a session. Raises: Refused."""
        passkey, sign_count, spent = await self._check(place, "sign in", holder, given)
        session = make_token(self._clock)
        if not await self._store.sign_in(passkey, sign_count, spent, digest_of(session), agent):
            raise Refused(REFUSED)
        return Signed(passkey.operator, session)

    async def prove(self, place: Place, token: str, given: str, operator: Operator) -> None:
        """Confirm that a session is still its operator's. Raises: Refused."""
        passkey, sign_count, spent = await self._check(place, "confirm", token, given)
        if passkey.operator.operator_id != operator.operator_id:
            raise Refused(REFUSED)
        if not await self._store.prove(passkey, sign_count, spent, digest_of(token)):
            raise Refused(REFUSED)

    async def join(self, place: Place, invitation: str, given: str, name: str, agent: str) -> str:
        """Use an invitation, and return the token of a session. Raises: Refused."""
        made, _ = self._read_new(place, "join", invitation, given, name)
        session = make_token(self._clock)
        if not await self._store.join(digest_of(invitation), made, digest_of(session), agent):
            raise Refused(USED_UP)
        return session

    async def add(self, place: Place, token: str, given: str, name: str, operator: Operator) -> None:
        """Add a passkey. Raises: Refused."""
        made, spent = self._read_new(place, "add", token, given, name)
        if not await self._store.add(operator.operator_id, made, spent):
            raise Refused(_TAKEN)

    async def passkeys(self, operator: Operator) -> list[OwnPasskey]:
        """Return an operator's passkeys, oldest first."""
        return await self._store.passkeys(operator.operator_id)

    async def remove(self, operator: Operator, token: str, passkey_id: str) -> None:
        """Remove a passkey and end the other sessions. Raises: Refused."""
        try:
            named = uuid.UUID(hex=passkey_id)
        except ValueError:
            raise Refused("There is no such passkey.") from None
        outcome = await self._store.remove(operator.operator_id, named, digest_of(token))
        if outcome != "done":
            raise Refused(LAST_WAY if outcome == "last_way" else "There is no such passkey.")

    async def _check(self, place: Place, purpose: str, holder: str, given: str) -> tuple[Passkey, int, Spent]:
        """Return the passkey that has signed, its counter, and the challenge. Raises: Refused."""
        credential = _parsed(lambda: webauthn.helpers.parse_authentication_credential_json(given))
        response = credential.response
        challenge = _challenge_of(response.client_data_json)
        spent = self._challenges.check(challenge, purpose, holder)
        passkey = await self._store.find(credential.raw_id)
        if passkey is None or passkey.rp_id != place.rp_id:
            raise Refused(REFUSED)
        verified = _parsed(
            lambda: webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=place.rp_id,
                expected_origin=list(place.origins),
                credential_public_key=passkey.public_key,
                # Compared below: the library looks at the counter before the signature.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        )
        if response.user_handle != passkey.operator.operator_id.bytes:
            raise Refused(REFUSED)
        count = verified.new_sign_count
        if (count or passkey.sign_count) and count <= passkey.sign_count:
            await self._store.note(passkey.operator, "passkey.clone_suspected", passkey.name)
            raise Refused(_COPIED)
        return passkey, count, spent

    def _read_new(
        self, place: Place, purpose: str, holder: str, given: str, name: str
    ) -> tuple[NewPasskey, Spent]:
        """Return a passkey that a browser has made, and the challenge. Raises: Refused."""
        name = name.strip()
        if not 1 <= len(name) <= limits.passkey_name_chars_max or not name.isprintable():
            raise Refused(f"The name of a passkey has 1 to {limits.passkey_name_chars_max} characters.")
        credential = _parsed(lambda: webauthn.helpers.parse_registration_credential_json(given))
        challenge = _challenge_of(credential.response.client_data_json)
        spent = self._challenges.check(challenge, purpose, holder)
        verified = _parsed(
            lambda: webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=challenge,
                expected_rp_id=place.rp_id,
                expected_origin=list(place.origins),
                require_user_verification=True,
            )
        )
        values = (verified.credential_id, verified.credential_public_key, place.rp_id, verified.sign_count)
        return NewPasskey(name, *values), spent


def _challenge_of(client_data: bytes) -> bytes:
    return _parsed(lambda: parse_client_data_json(client_data).challenge)


def _parsed(read: Callable[[], _Result]) -> _Result:
    """Return what is read from a stranger's bytes. Raises: Refused."""
    try:
        return read()
    except Exception as error:
        raise Refused(REFUSED) from error
