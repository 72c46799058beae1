"""The console as an ASGI application below `/console/`: who asks, which page, and what every answer carries.

Each page needs a session, except those on which one begins. What changes something is a POST from one of our
own pages: its Origin is ours, and its form carries a token that only the session's pages know. The cookie of
a session cannot be read by scripts and goes to no other site.
"""

from collections.abc import Awaitable, Callable, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import jinja2

from fastpay import limits
from fastpay.admin.console.answers import ROOT, Answer, moved
from fastpay.admin.console.orders import may, order_of, role_for
from fastpay.admin.console.pages import read_static
from fastpay.admin.console.ports import Desk, Operator, OperatorStore
from fastpay.admin.console.sign_in import Refused, SignIn
from fastpay.admin.console.tokens import form_token_of, is_same
from fastpay.admin.console.views import Views
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

_COOKIE = "__Host-fastpay"
_ATTRIBUTES = "; Path=/; Secure; HttpOnly; SameSite=Strict"
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
)
_STATIC = {"console.css": "text/css; charset=utf-8", "htmx.min.js": "text/javascript; charset=utf-8"}

_log = telemetry.Log("fastpay.console")


class _Request(NamedTuple):
    method: str
    path: str
    query: Mapping[str, str]
    form: Mapping[str, str]
    headers: Mapping[str, str]
    token: str


class Console:
    """The console. `pages` are its templates."""

    def __init__(
        self,
        sign_in: SignIn,
        pages: jinja2.Environment,
        views: Views,
        desk: Desk,
        operators: OperatorStore,
    ) -> None:
        self._sign_in = sign_in
        self._desk = desk
        self._operators = operators
        self._pages = pages
        self._views = views
        self._static = {name: read_static(name) for name in _STATIC}

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer one request."""
        try:
            answer = await self._answer(await _read(scope, receive))
        except FastpayError as error:
            answer = self._notice(error.status, error.message)
        except Exception:  # noqa: BLE001  whatever it is, the person gets a page
            _log.exception("console_failed", path=scope["path"][:200])
            answer = self._notice(500, "Something went wrong. The process's log says what.")
        headers = [
            (b"content-type", answer.kind.encode()),
            *([(b"content-length", b"%d" % len(answer.body))] if answer.more is None else ()),
            *_HEADERS,
            *((name.encode(), value.encode("latin-1", "replace")) for name, value in answer.headers),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        is_whole = answer.more is None or scope["method"] == "HEAD"
        body = b"" if scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": body, "more_body": not is_whole})
        if answer.more is not None and not is_whole:
            async for chunk in answer.more:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    async def _answer(self, request: _Request) -> Answer:
        folder, _, name = request.path.removeprefix(ROOT).partition("/")
        if request.method not in ("GET", "HEAD", "POST"):
            allowed = ("allow", "GET, HEAD, POST")
            answer = self._notice(405, "The console does not answer to this method.", allowed)
        elif folder == "static":
            answer = self._show_static(name)
        elif request.method == "POST" and not _is_own(request.headers):
            answer = self._notice(
                403, "This form was sent from another page. Open the console and try again."
            )
        elif folder == "sign-in":
            answer = await self._begin(request)
        elif folder == "invitation":
            answer = await self._join(request, name)
        else:
            answer = await self._answer_operator(request)
        return answer

    async def _answer_operator(self, request: _Request) -> Answer:
        """Answer who is signed in, and send everybody else to the form for that."""
        name, token = request.path.removeprefix(ROOT), request.token
        operator = await self._sign_in.find(token) if token else None
        if operator is None:
            return moved(ROOT + "sign-in")
        if request.method == "POST":
            return await self._act(request, name, operator)
        view = self._views.find(name)
        if view is None:
            return self._notice(404, "There is no such page.", operator=operator, token=token)
        shown = await view(request.query)
        if isinstance(shown, Answer):
            return shown
        return self._page(shown.template, shown.status, operator=operator, token=token, **shown.values)

    async def _act(self, request: _Request, name: str, operator: Operator) -> Answer:
        """Carry out what a form asks for, and show where it was asked."""
        if not is_same(request.form.get("token", ""), form_token_of(request.token)):
            return self._notice(403, "This form is from another session. Open the page again.")
        if name == "sign-out":
            await self._sign_in.sign_out(request.token, everywhere="everywhere" in request.form)
            return moved(ROOT + "sign-in", ("set-cookie", f"{_COOKIE}={_ATTRIBUTES}; Max-Age=0"))
        return await self._carry_out(request, name, operator)

    async def _carry_out(self, request: _Request, name: str, operator: Operator) -> Answer:
        order, back = order_of(name, request.form)
        if order is None:
            return self._notice(404, "There is no such page.", operator=operator, token=request.token)
        if not may(operator.role, order):
            message = f"Your role does not let you do this. Ask somebody with the role {role_for(order)}."
            return self._notice(403, message, operator=operator, token=request.token, back=back)
        try:
            done = await self._desk.carry_out(operator, order)
        except FastpayError as error:
            await self._operators.note(
                operator, f"{order.action}.refused", order.subject, tenant_id=order.tenant_id or None
            )
            return self._notice(
                error.status, error.message, operator=operator, token=request.token, back=back
            )
        back = done.path or back
        if done.secret:
            return self._page("made.html", 200, operator=operator, token=request.token, done=done, back=back)
        return moved(back)

    async def _begin(self, request: _Request) -> Answer:
        if request.method != "POST":
            return self._page("sign_in.html", 200, problem="")
        form = request.form
        try:
            signed = await self._sign_in.sign_in(
                form.get("name", ""), form.get("password", ""), form.get("code", "")
            )
        except Refused as refused:
            return self._page("sign_in.html", 403, problem=str(refused))
        return moved(ROOT, _cookie(signed.token))

    async def _join(self, request: _Request, token: str) -> Answer:
        operator = await self._sign_in.invited(token)
        if operator is None:
            return self._notice(404, "This invitation was used or has expired. Ask for another one.")
        problem = ""
        if request.method == "POST":
            try:
                form = request.form
                signed = await self._sign_in.accept(token, form.get("password", ""), form.get("code", ""))
            except Refused as refused:
                problem = str(refused)
            else:
                return moved(ROOT, _cookie(signed.token))
        secret = self._sign_in.secret_for(token)
        status = 403 if problem else 200
        return self._page("invitation.html", status, invited=operator, secret=secret, problem=problem)

    def _show_static(self, name: str) -> Answer:
        if name not in self._static:
            return self._notice(404, "There is no such file.")
        return Answer(200, self._static[name], _STATIC[name])

    def _notice(
        self,
        status: int,
        message: str,
        *headers: tuple[str, str],
        operator: Operator | None = None,
        token: str = "",
        back: str = ROOT,
    ) -> Answer:
        values = {"message": message, "back": back}
        return self._page("notice.html", status, *headers, operator=operator, token=token, **values)

    def _page(
        self,
        template: str,
        status: int,
        *headers: tuple[str, str],
        operator: Operator | None = None,
        token: str = "",
        **values: object,
    ) -> Answer:
        form_token = form_token_of(token) if token else ""
        text = self._pages.get_template(template).render(
            operator=operator, form_token=form_token, limits=limits, **values
        )
        return Answer(status, text.encode(), "text/html; charset=utf-8", headers)


async def _read(scope: Mapping[str, Any], receive: Callable[[], Awaitable[Any]]) -> _Request:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    body = b""
    while scope["method"] == "POST":
        message = await receive()
        body += message.get("body", b"")
        if len(body) > limits.console_form_bytes_max:
            body = b""
        if not message.get("more_body"):
            break
    query = scope["query_string"].decode("latin-1")
    return _Request(
        scope["method"],
        scope["path"],
        _fields(query),
        _fields(body.decode("latin-1")),
        headers,
        _token_in(headers.get("cookie", "")),
    )


def _fields(text: str) -> dict[str, str]:
    """Return the fields of a form or a query. Of a name that stands twice, the last one counts."""
    try:
        found = parse_qs(text, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in found.items()}


def _token_in(cookies: str) -> str:
    try:
        found = SimpleCookie(cookies).get(_COOKIE)
    except CookieError:
        return ""
    return "" if found is None else found.value


def _is_own(headers: Mapping[str, str]) -> bool:
    """Tell whether a form comes from a page of this origin. All browsers send Origin with a POST."""
    origin = headers.get("origin", "")
    return origin.partition("://")[2] == headers.get("host", "") != ""


def _cookie(token: str) -> tuple[str, str]:
    return ("set-cookie", f"{_COOKIE}={token}{_ATTRIBUTES}")
