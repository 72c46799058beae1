"""An operator's own page: passkeys, password, authenticator and sessions; and the one that asks who it is."""

import re
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from fastpay.admin.console.answers import Answer, Shown, moved
from fastpay.admin.console.own_access import OwnAccess
from fastpay.admin.console.passkeys import Passkeys
from fastpay.admin.console.passwords import Refused
from fastpay.admin.console.place import place_of
from fastpay.admin.console.ports import Operator
from fastpay.admin.console.visits import Visit
from fastpay.clock import Clock

# A page of operators, who are signed in. What is sent to it comes from one of our own pages.
OperatorPage: TypeAlias = Callable[[Operator, Visit], Awaitable[Answer | Shown]]
Change: TypeAlias = Callable[[Operator, Visit], Awaitable[str]]

_OWN = "/console/me"
_KEY = re.compile(r"[0-9a-f]{32}")
# Pages that change how somebody signs in, or who answers all tenants: they want a proof that is recent.
_GUARDED = ("me", "operators", "routes")
_DONE = {
    "passkey": "The passkey was added.",
    "removed": "The passkey was removed, and your other sessions have ended.",
    "password": "The password was changed, and your other sessions have ended.",
    "authenticator": "The authenticator was changed, and your other sessions have ended.",
    "without": "The password was removed, and your other sessions have ended.",
    "sessions": "Your other sessions have ended.",
    "confirmed": "",
}


def ask_first(page: str) -> Answer:
    """Return the way to the page that asks for a proof, and back to a page."""
    return moved(f"/console/confirm?for={page}")


class OwnPages:
    """The pages. `url` is where browsers find the console, None for where they say."""

    def __init__(self, access: OwnAccess, passkeys: Passkeys, clock: Clock, url: str | None) -> None:
        self._access = access
        self._passkeys = passkeys
        self._clock = clock
        self._url = url
        self._changes: dict[str, Change] = {
            "me/add-passkey": self._add_passkey,
            "me/remove-passkey": self._remove_passkey,
            "me/password": self._change_password,
            "me/authenticator": self._change_authenticator,
            "me/remove-password": self._remove_password,
            "me/end-others": self._end_others,
        }

    def find(self, name: str, method: str) -> OperatorPage | None:
        """Return the page of a path below the console's root."""
        if name == "confirm":
            return self._confirm
        if name == "me" and method != "POST":
            return self._show
        return self._change if name in self._changes and method == "POST" else None

    async def _show(self, operator: Operator, visit: Visit, problem: str = "") -> Answer | Shown:
        """Show what there is. A form that was refused keeps its key, which goes with its secret."""
        given = visit.form.get("key", "")
        key = given if _KEY.fullmatch(given) else self._clock.random_bytes(16).hex()
        place = place_of(visit.headers, self._url)
        values = {
            "passkeys": await self._passkeys.passkeys(operator),
            "has_password": await self._access.has_password(operator),
            "sessions": await self._access.sessions(operator, visit.token),
            "rp_id": place.rp_id,
            "hint": place.hint,
            "options": await self._passkeys.offer(place, "add", visit.token, operator),
            "key": key,
            "secret": self._access.new_secret(visit.token, key),
            "problem": problem,
            "done": _DONE.get(visit.query.get("done", ""), ""),
        }
        return Shown(403 if problem else 200, "me.html", values)

    async def _change(self, operator: Operator, visit: Visit) -> Answer | Shown:
        if not operator.is_proved:
            return ask_first("me")
        try:
            done = await self._changes[visit.path.removeprefix("/console/")](operator, visit)
        except Refused as refused:
            return await self._show(operator, visit, str(refused))
        return moved(f"{_OWN}?done={done}")

    async def _add_passkey(self, operator: Operator, visit: Visit) -> str:
        place, form = place_of(visit.headers, self._url), visit.form
        given = (form.get("credential", ""), form.get("passkey", ""))
        await self._passkeys.add(place, visit.token, *given, operator)
        return "passkey"

    async def _remove_passkey(self, operator: Operator, visit: Visit) -> str:
        await self._passkeys.remove(operator, visit.token, visit.form.get("passkey_id", ""))
        return "removed"

    async def _change_password(self, operator: Operator, visit: Visit) -> str:
        await self._access.change_password(operator, visit.token, visit.form.get("password", ""))
        return "password"

    async def _change_authenticator(self, operator: Operator, visit: Visit) -> str:
        form = visit.form
        if not _KEY.fullmatch(form.get("key", "")):
            raise Refused("The form is not complete. Try again.")
        given = (form["key"], form.get("code", ""), form.get("password"))
        await self._access.change_authenticator(operator, visit.token, *given)
        return "authenticator"

    async def _remove_password(self, operator: Operator, visit: Visit) -> str:
        await self._access.remove_password(operator, visit.token)
        return "without"

    async def _end_others(self, operator: Operator, visit: Visit) -> str:
        await self._access.end_others(operator, visit.token)
        return "sessions"

    async def _confirm(self, operator: Operator, visit: Visit) -> Answer | Shown:
        """Ask who it is, and go on to the page that wants to know."""
        place, form = place_of(visit.headers, self._url), visit.form
        wanted = form.get("for", "") or visit.query.get("for", "")
        back = wanted if wanted in _GUARDED else "me"
        problem = ""
        if visit.method == "POST":
            try:
                if form.get("credential"):
                    await self._passkeys.prove(place, visit.token, form["credential"], operator)
                else:
                    typed = (form.get("password", ""), form.get("code", ""))
                    await self._access.prove(operator, visit.token, *typed)
            except Refused as refused:
                problem = str(refused)
            else:
                return moved(f"/console/{back}")
        values = {
            "back": back,
            "problem": problem,
            "has_password": await self._access.has_password(operator),
            "options": self._passkeys.ask(place, "confirm", visit.token),
            "hint": place.hint,
        }
        return Shown(403 if problem else 200, "confirm.html", values)
