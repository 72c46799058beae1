"""Operators of a running server, who sign in as people do."""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass

import httpx
import pyotp

from fastpay.store.connections import connected
from fastpay.store.roster import Roster
from tests.support.servers import RunningServer, fetch
from tests.support.tenants import CLOCK, Tenant

PASSWORD = "correct horse battery"


@dataclass(frozen=True)
class SignedIn:
    """An operator with a session: the cookie, and the secret of the second factor."""

    name: str
    cookie: str
    secret: str

    def next_code(self) -> str:
        """Return the code of the next time step, which is good already, as clocks differ."""
        return pyotp.TOTP(self.secret).at(int(time.time()) + 30)


def invite(server: RunningServer, *, role: str = "admin", name: str | None = None) -> tuple[str, str]:
    """Return a new operator's name, and the path of the invitation."""
    name = name or f"operator {uuid.uuid4().hex[:8]}"

    async def work() -> str | None:
        async with connected(server.database_url) as connection:
            return await Roster(connection.fetch, CLOCK).invite("command line", name, role)

    return name, f"/console/invitation/{asyncio.run(work())}"


def secret_on(page: str) -> str:
    """Return the secret that the page of an invitation shows."""
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert found is not None, page
    return found[1]


def join(
    http: httpx.Client, server: RunningServer, *, role: str = "admin", name: str | None = None
) -> SignedIn:
    """Accept an invitation. `http` has the operator's listener as its base and sends its Origin."""
    name, path = invite(server, role=role, name=name)
    secret = secret_on(http.get(path).text)
    answer = http.post(path, data={"password": PASSWORD, "code": pyotp.TOTP(secret).now()})
    assert answer.status_code == 303, answer.text
    return SignedIn(name, cookie_of(answer), secret)


def cookie_of(answer: httpx.Response) -> str:
    """Return the cookie that an answer sets, as it is sent back."""
    return answer.headers["set-cookie"].partition(";")[0]


def hidden(page: str, name: str) -> str:
    """Return the value of a hidden field of a page's forms."""
    found = re.search(rf'name="{name}" value="([0-9a-f]+)"', page)
    assert found is not None, page
    return found[1]


def page_of(tenant: Tenant, payment: dict[str, str]) -> str:
    """Return the path of a payment's page."""
    return f"/console/payments/{tenant.tenant_id.hex}/test/{payment['id']}"


def get(http: httpx.Client, path: str, operator: SignedIn) -> httpx.Response:
    """Get a page as an operator."""
    return http.get(path, headers={"Cookie": operator.cookie})


def post(http: httpx.Client, path: str, operator: SignedIn, **fields: str) -> httpx.Response:
    """Send a form as an operator."""
    return http.post(path, headers={"Cookie": operator.cookie}, data=fields)


def act(http: httpx.Client, page: str, operator: SignedIn, action: str, **fields: str) -> httpx.Response:
    """Send the form of a page."""
    shown = get(http, page, operator).text
    given = {"token": hidden(shown, "token"), "key": hidden(shown, "key"), **fields}
    return post(http, f"{page}/{action}", operator, **given)


def fields_of(http: httpx.Client, page: str, operator: SignedIn) -> dict[str, str]:
    """Return the hidden fields of the forms of a page."""
    shown = get(http, page, operator).text
    names = [name for name in ("token", "key", "seen") if f'name="{name}"' in shown]
    return {name: hidden(shown, name) for name in names}


def send(http: httpx.Client, page: str, path: str, operator: SignedIn, **fields: str) -> httpx.Response:
    """Send a form of a page."""
    return post(http, path, operator, **{**fields_of(http, page, operator), **fields})


def secret_in(answer: httpx.Response) -> str:
    """Return the secret that an answer shows."""
    assert answer.status_code == 200, answer.text
    found = re.search(r'<code class="secret">([^<]+)</code>', answer.text)
    assert found is not None, answer.text
    return found[1]


def notes_of(server: RunningServer, subject: str) -> list[tuple[str, str | None]]:
    """Return the actions on a subject with their details, oldest first."""
    query = f"select action, detail from operator_action where subject = '{subject}' order by action_id"
    return [(row["action"], row["detail"]) for row in fetch(server.database_url, query)]
