"""The console as an ASGI application below `/console/`: who asks, which page, and what every answer carries.

Each page needs a session, except those on which one begins. What changes something is a POST from one of our
own pages: its Origin is ours, and its form carries a token that only the session's pages know. The cookie of
a session cannot be read by scripts and goes to no other site.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import jinja2

from fastpay import limits
from fastpay.admin.console.answers import ROOT, Answer, Shown, moved
from fastpay.admin.console.entrance import Entrance
from fastpay.admin.console.operator_pages import ACTIONS, OperatorPages
from fastpay.admin.console.orders import may, needs_proof, order_of, role_for
from fastpay.admin.console.own_pages import OperatorPage, OwnPages, ask_first
from fastpay.admin.console.pages import read_static
from fastpay.admin.console.ports import Desk, Operator, OperatorStore, refusal_of
from fastpay.admin.console.sign_in import SignIn
from fastpay.admin.console.tokens import form_token_of, is_same
from fastpay.admin.console.views import Views
from fastpay.admin.console.visits import Visit, read, session_cookie
from fastpay.errors import FastpayError
from fastpay.observability import telemetry

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
_STATIC = {
    "console.css": "text/css; charset=utf-8",
    "htmx.min.js": "text/javascript; charset=utf-8",
    "passkeys.js": "text/javascript; charset=utf-8",
}

_log = telemetry.Log("fastpay.console")


class Console:
    """The console. `pages` are its templates; `url` is where browsers find it, None for where they say."""

    def __init__(
        self,
        sign_in: SignIn,
        entrance: Entrance,
        pages: jinja2.Environment,
        views: Views,
        people: Sequence[OwnPages | OperatorPages],
        desk: Desk,
        operators: OperatorStore,
        *,
        url: str | None,
    ) -> None:
        self._sign_in = sign_in
        self._entrance = entrance
        self._people = people
        self._url = url
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
            answer = await self._answer(await read(scope, receive))
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

    async def _answer(self, request: Visit) -> Answer:
        folder, _, name = request.path.removeprefix(ROOT).partition("/")
        if request.method not in ("GET", "HEAD", "POST"):
            allowed = ("allow", "GET, HEAD, POST")
            answer = self._notice(405, "The console does not answer to this method.", allowed)
        elif folder == "static":
            answer = self._show_static(name)
        elif request.method == "POST" and not _is_own(request.headers, self._url):
            answer = self._notice(
                403, "This form was sent from another page. Open the console and try again."
            )
        elif folder == "sign-in":
            answer = self._render(await self._entrance.sign_in(request))
        elif folder == "invitation":
            answer = self._render(await self._entrance.join(request, name))
        else:
            answer = await self._answer_operator(request)
        return answer

    async def _answer_operator(self, request: Visit) -> Answer:
        """Answer who is signed in, and send everybody else to the form for that."""
        name, token = request.path.removeprefix(ROOT), request.token
        operator = await self._sign_in.find(token) if token else None
        if operator is None:
            return moved(ROOT + "sign-in")
        if request.method == "POST":
            return await self._act(request, name, operator)
        page, view = self._page_about_people(name, request.method), self._views.find(name)
        if page is not None:
            return await self._show_people(request, page, operator)
        if view is None:
            return self._notice(404, "There is no such page.", operator=operator, token=token)
        return self._render(await view(request.query), operator=operator, token=token)

    async def _act(self, request: Visit, name: str, operator: Operator) -> Answer:
        """Carry out what a form asks for, and show where it was asked."""
        if not is_same(request.form.get("token", ""), form_token_of(request.token)):
            return self._notice(403, "This form is from another session. Open the page again.")
        if name == "sign-out":
            await self._sign_in.sign_out(request.token, everywhere="everywhere" in request.form)
            return moved(ROOT + "sign-in", session_cookie(""))
        page = self._page_about_people(name, request.method)
        if page is not None:
            return await self._show_people(request, page, operator)
        return await self._carry_out(request, name, operator)

    async def _carry_out(self, request: Visit, name: str, operator: Operator) -> Answer:
        order, back = order_of(name, request.form)
        if order is None:
            return self._notice(404, "There is no such page.", operator=operator, token=request.token)
        if not may(operator.role, order):
            message = f"Your role does not let you do this. Ask somebody with the role {role_for(order)}."
            return self._notice(403, message, operator=operator, token=request.token, back=back)
        if needs_proof(order) and not operator.is_proved:
            return ask_first(back.removeprefix(ROOT))
        try:
            done = await self._desk.carry_out(operator, order)
        except FastpayError as error:
            await self._operators.note(
                operator,
                order.refusal,
                order.subject,
                tenant_id=order.tenant_id or None,
                detail=error.message,
            )
            return self._notice(
                error.status, error.message, operator=operator, token=request.token, back=back
            )
        back = done.path or back
        if done.secret:
            return self._page("made.html", 200, operator=operator, token=request.token, done=done, back=back)
        return moved(back)

    def _page_about_people(self, name: str, method: str) -> OperatorPage | None:
        """Return a page about operators, or about the one who asks."""
        return next((page for pages in self._people if (page := pages.find(name, method))), None)

    async def _show_people(self, request: Visit, page: OperatorPage, operator: Operator) -> Answer:
        """Show such a page, or carry out its form. What is refused is noted."""
        try:
            shown = await page(operator, request)
        except FastpayError as error:
            action = request.path.rpartition("/")[2]
            if request.method == "POST" and action in ACTIONS:
                subject = "".join(filter(str.isprintable, request.form.get("name", "")))
                subject = subject[: limits.operator_name_chars_max]
                await self._operators.note(
                    operator, refusal_of("operators", action), subject, detail=error.message
                )
            back = ROOT + ("operators" if operator.role == "admin" else "")
            return self._notice(
                error.status, error.message, operator=operator, token=request.token, back=back
            )
        return self._render(shown, operator=operator, token=request.token)

    def _render(self, shown: Answer | Shown, *, operator: Operator | None = None, token: str = "") -> Answer:
        if isinstance(shown, Answer):
            return shown
        return self._page(
            shown.template, shown.status, *shown.headers, operator=operator, token=token, **shown.values
        )

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


def _is_own(headers: Mapping[str, str], url: str | None) -> bool:
    """Tell whether a form comes from a page of this origin. All browsers send Origin with a POST."""
    origin = headers.get("origin", "")
    return origin == url or origin.partition("://")[2] == headers.get("host", "") != ""
