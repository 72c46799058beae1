"""A request for a page of the console, and what is read from it."""

from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qs

from fastpay import limits

_SESSION = "__Host-fastpay"
_VISITOR = "__Host-fastpay-visitor"
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Strict"


class Visit(NamedTuple):
    """A request. `token` is that of a session, `visitor` that of who has none yet; either may be empty."""

    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    token: str
    visitor: str

    @property
    def agent(self) -> str:
        """What the browser says it is."""
        shown = "".join(char for char in self.headers.get("user-agent", "") if char.isprintable())
        return shown[: limits.agent_chars_max]


async def read(scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]]) -> Visit:
    """Read a request. A form that is too long counts as an empty one."""
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body, length = b"", 0
    while scope["method"] == "POST":
        message = await receive()
        chunk = message.get("body", b"")
        length += len(chunk)
        body = body + chunk if length <= limits.console_form_bytes_max else b""
        if not message.get("more_body"):
            break
    cookies = headers.get("cookie", "")
    return Visit(
        scope["method"],
        scope["path"],
        _fields(scope["query_string"].decode("latin-1")),
        _fields(body.decode("latin-1")),
        headers,
        _cookie_in(cookies, _SESSION),
        _cookie_in(cookies, _VISITOR),
    )


def session_cookie(token: str) -> tuple[str, str]:
    """Return the header that keeps a session in the browser, or ends it if the token is empty."""
    return _cookie(_SESSION, token, "" if token else "; Max-Age=0")


def visitor_cookie(token: str) -> tuple[str, str]:
    """Return the header by which a visitor without a session is known again."""
    return _cookie(_VISITOR, token, "")


def _cookie(name: str, value: str, more: str) -> tuple[str, str]:
    return ("set-cookie", f"{name}={value}{_ATTRIBUTES}{more}")


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a form or a query. Of a name that stands twice, the last one counts."""
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}


def _cookie_in(cookies: str, name: str) -> str:
    try:
        found = SimpleCookie(cookies).get(name)
    except CookieError:
        return ""
    return "" if found is None else found.value
