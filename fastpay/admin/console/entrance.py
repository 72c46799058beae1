"""The pages for people without a session: the sign-in, and an invitation."""

import re

from fastpay.admin.console.answers import Answer, Shown, missing, moved
from fastpay.admin.console.passkeys import Passkeys
from fastpay.admin.console.passwords import Refused, secret_of, shown_secret
from fastpay.admin.console.place import place_of
from fastpay.admin.console.sign_in import USED_UP, SignIn
from fastpay.admin.console.tokens import make_token
from fastpay.admin.console.visits import Visit, session_cookie, visitor_cookie
from fastpay.clock import Clock

_HOME = "/console/"
_VISITOR = re.compile(r"[A-Za-z0-9_-]{43}")


class Entrance:
    """The pages. `url` is where browsers find the console, None for where they say."""

    def __init__(self, sign_in: SignIn, passkeys: Passkeys, clock: Clock, url: str | None) -> None:
        self._sign_in = sign_in
        self._passkeys = passkeys
        self._clock = clock
        self._url = url

    async def sign_in(self, visit: Visit) -> Answer | Shown:
        """Show the form, or begin a session. The session is always a new one."""
        place, form = place_of(visit.headers, self._url), visit.form
        # What a passkey signs is bound to the browser that it was asked of.
        is_known = _VISITOR.fullmatch(visit.visitor) is not None
        visitor = visit.visitor if is_known else make_token(self._clock)
        status, problem = 200, ""
        if visit.method == "POST":
            try:
                if form.get("credential"):
                    signed = await self._passkeys.sign_in(place, visitor, form["credential"], visit.agent)
                else:
                    typed = (form.get("name", ""), form.get("password", ""), form.get("code", ""))
                    signed = await self._sign_in.sign_in(*typed, visit.agent)
            except Refused as refused:
                status, problem = 403, str(refused)
            else:
                return moved(_HOME, session_cookie(signed.token))
        values = {
            "problem": problem,
            "options": self._passkeys.ask(place, "sign in", visitor),
            "hint": place.hint,
        }
        return Shown(status, "sign_in.html", values, () if is_known else (visitor_cookie(visitor),))

    async def join(self, visit: Visit, token: str) -> Answer | Shown:
        """Show an invitation, or use it."""
        operator = await self._sign_in.invited(token)
        if operator is None:
            return missing(USED_UP, _HOME)
        place, form = place_of(visit.headers, self._url), visit.form
        status, problem = 200, ""
        if visit.method == "POST":
            try:
                if form.get("credential"):
                    given = (form["credential"], form.get("passkey", ""), visit.agent)
                    session = await self._passkeys.join(place, token, *given)
                else:
                    typed = (form.get("password", ""), form.get("code", ""))
                    session = (await self._sign_in.accept(token, *typed, visit.agent)).token
            except Refused as refused:
                status, problem = 403, str(refused)
            else:
                return moved(_HOME, session_cookie(session))
        values = {
            "invited": operator,
            "secret": shown_secret(secret_of(token)),
            "problem": problem,
            "options": await self._passkeys.offer(place, "join", token, operator),
            "hint": place.hint,
        }
        return Shown(status, "invitation.html", values)
