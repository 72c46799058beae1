"""The page on which a cardholder authenticates, as the ASGI application of its path.

The URL holds a sealed token and the identifier of the intent, and is all that the page needs: no key, no
cookie, no script. The token says whose intent it is and until when; the intent says whether the page is
still its own, so that a page of an earlier attempt, or one put together of two, answers nothing. Whoever has
the URL may answer, as with every page of this kind.
"""

import hmac
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from starlette.types import Receive, Scope, Send

from fastpay import limits
from fastpay._native.headers import Headers
from fastpay.api import challenge_html
from fastpay.api.bodies import ClientGone, read_body
from fastpay.api.challenges import PATH, with_result
from fastpay.api.common_params import Params
from fastpay.api.context import Services
from fastpay.api.deadlines import in_time
from fastpay.api.decoding import decode_params
from fastpay.api.intents import error_links
from fastpay.api.request_notes import NOTE, Note
from fastpay.domain import attempts
from fastpay.domain.identifiers import Scope as TenantScope
from fastpay.domain.identifiers import is_well_formed
from fastpay.domain.objects import PaymentIntent, PaymentMethod
from fastpay.domain.payment_intents import AuthenticatePaymentIntent
from fastpay.domain.plan import Command
from fastpay.domain.setup_intents import AuthenticateSetupIntent
from fastpay.domain.setup_objects import SetupIntent
from fastpay.engine.ports import Outcome, Submission
from fastpay.errors import FastpayError, Forbidden, MethodNotAllowed, NotFound
from fastpay.observability import telemetry, traces

TEMPLATE = PATH + "{token}/{id}"

# What can be authenticated, its name in the query of the merchant's page, and the command with the answer.
_Intent: TypeAlias = PaymentIntent | SetupIntent
_NAMES: Mapping[type[_Intent], str] = {PaymentIntent: "payment_intent", SetupIntent: "setup_intent"}
_COMMANDS: Mapping[type[_Intent], Callable[..., Command]] = {
    PaymentIntent: AuthenticatePaymentIntent,
    SetupIntent: AuthenticateSetupIntent,
}
# What the merchant's page is told. Nothing else that an intent can be follows from an answer.
_RESULTS = {
    "succeeded": "succeeded",
    "requires_capture": "succeeded",
    "processing": "pending",
    "requires_action": "pending",
    "requires_payment_method": "failed",
    "canceled": "failed",
}
# Beyond every sequence: the page must not show an older state than the redirect to it came from.
_LATEST = (1 << 63) - 1
_METHODS = ("GET", "HEAD", "POST")
_NOTICES = {
    400: ("This answer was not understood", "Go back to the page before, and choose one of the buttons."),
    403: ("This answer was refused", "It came from another page. Go back to the shop and try again."),
    404: ("This page is not valid", "It was used, has expired, or never was. Go back to the shop."),
    503: ("This does not work right now", "Nothing was decided. Load this page again in a moment."),
}
_OTHERWISE = ("Something went wrong", "Go back to the shop to see whether the payment was made.")

_log = telemetry.Log("fastpay.challenge")


class AnswerParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the cardholder says. `pending` is no answer."""

    outcome: Literal["succeeded", "failed", "pending"]


class _Page(NamedTuple):
    status: int
    body: bytes
    location: str | None = None


class ChallengePage:
    """Shows the question, and takes the answer."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request_id, notes = self._services.identifiers.request_id(), self._services.request_notes
        note = None if notes is None else notes.begin(scope)
        tracer, trace, begun_ns = traces.tracer(), None, 0
        if tracer is not None:
            begun_ns = tracer.now_ns()
            trace = tracer.begin({}, begun_ns)
        try:
            page = await self._answer(scope, receive, request_id)
        except ClientGone:
            return
        except FastpayError as error:
            page = _notice(error.status, error, note)
        except Exception as error:  # noqa: BLE001  whatever it is, the cardholder gets an answer
            _log.exception("challenge_failed", request_id=request_id)
            page = _notice(500, error, note)
        if note is not None:
            note.end(request_id, page.status)
        headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"content-length", b"%d" % len(page.body)),
            (b"request-id", request_id.encode()),
            *challenge_html.HEADERS,
        ]
        if page.location is not None:
            headers.append((b"location", page.location.encode("ascii")))
        if page.status == 405:
            headers.append((b"allow", ", ".join(_METHODS).encode()))
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else page.body
        await send({"type": "http.response.body", "body": body})
        if tracer is not None and (trace is not None or tracer.is_kept(page.status, begun_ns)):
            tracer.answered(
                trace,
                scope,
                TEMPLATE,
                status=page.status,
                request_id=request_id,
                begun_ns=begun_ns,
                headers={},
            )

    async def _answer(self, scope: Scope, receive: Receive, request_id: str) -> _Page:
        """Return the page, or the redirect to the merchant's. Raises: FastpayError, ClientGone."""
        services = self._services
        if scope["method"] not in _METHODS:
            raise MethodNotAllowed("This page does not answer to this method.")
        token, identifier = scope["path_params"]["token"], scope["path_params"]["id"]
        challenge = services.challenges.open(token)
        if challenge is None or challenge.until_s < services.clock.now_ms() // 1000:
            raise NotFound("No such page, or it has expired.")
        note: Note | None = scope.get(NOTE)
        if note is not None:
            note.scope = challenge.scope
        outcome = "" if scope["method"] != "POST" else await _read_outcome(scope, receive)
        shares, tenant, page = services.shares, challenge.scope, f"{PATH}{token}/{identifier}"
        if not shares.enter(tenant):
            await shares.wait(tenant)
        try:
            intent = await in_time(self._find(tenant, identifier, page))
            if outcome in {"succeeded", "failed"} and intent.status == "requires_action":
                links = error_links(services, request_id)
                command = _COMMANDS[type(intent)](id=intent.id, succeeds=outcome == "succeeded", links=links)
                committed = await self._submit(tenant, command, request_id)
                if note is not None:
                    note.outcome = committed
                intent = await in_time(self._find(tenant, identifier, page))
            if not outcome and intent.status == "requires_action":
                return _Page(200, await in_time(self._question(tenant, intent)))
        finally:
            shares.leave(tenant)
        return _redirect(intent)

    async def _find(self, tenant: TenantScope, identifier: str, page: str) -> _Intent:
        """Return the intent if this is the page of its latest attempt. Raises: NotFound."""
        if not any(is_well_formed(identifier, kind.prefix) for kind in _COMMANDS):
            raise NotFound("No such page.")
        found = await self._services.reader.get_many_at(tenant, (identifier,), _LATEST)
        intent = found[identifier].object if identifier in found else None
        if isinstance(intent, PaymentIntent | SetupIntent) and _result_of(intent) is not None:
            current = intent.challenge_url or ""
            if hmac.compare_digest(current[-len(page) :].encode(), page.encode()):
                return intent
        raise NotFound("Another attempt has followed.")

    async def _submit(self, tenant: TenantScope, command: Command, request_id: str) -> Outcome:
        """Commit the answer. A second one is refused by the state of the intent. Raises: FastpayError."""
        services = self._services
        services.writer.admit(tenant)
        stamp = services.identifiers.stamp()
        return await services.writer.submit(
            Submission(
                scope=tenant,
                command=command,
                request_id=request_id,
                moment_ms=stamp.moment_ms,
                head=stamp.head,
                tail=stamp.tail,
            )
        )

    async def _question(self, tenant: TenantScope, intent: _Intent) -> bytes:
        assert intent.payment_method is not None
        found = await self._services.reader.get_many_at(tenant, (intent.payment_method,), _LATEST)
        method = found[intent.payment_method].object
        assert isinstance(method, PaymentMethod)
        return challenge_html.challenge(
            amount=getattr(intent, "amount", None),
            currency=getattr(intent, "currency", ""),
            brand=method.card.brand,
            last4=method.card.last4,
            livemode=tenant.livemode,
        )


async def _read_outcome(scope: Scope, receive: Receive) -> str:
    """Return what the form says. Raises: Forbidden if it is another site's, InvalidRequest."""
    headers = Headers(dict(scope["headers"]).items())
    # Browsers say where a form was sent from. The token protects the page without it too.
    if headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise Forbidden("The form was not this page's.")
    body = await read_body(receive, headers, limits.challenge_body_bytes_max)
    return decode_params(AnswerParams, content_type=headers.get("content-type"), body=body, query=b"").outcome


def _result_of(intent: _Intent) -> str | None:
    """Return what came of the page, None if another attempt has followed."""
    if isinstance(intent, PaymentIntent) and intent.status == "requires_confirmation":
        return "succeeded" if attempts.is_authenticated(intent, intent.payment_method) else None
    return _RESULTS.get(intent.status)


def _redirect(intent: _Intent) -> _Page:
    """Return the way back to the merchant."""
    assert intent.return_url is not None
    name = _NAMES[type(intent)]
    result = {
        name: intent.id,
        f"{name}_client_secret": intent.client_secret,
        "redirect_status": _result_of(intent) or "",
    }
    return _Page(303, b"", with_result(intent.return_url, result))


def _notice(status: int, error: Exception, note: Note | None) -> _Page:
    if note is not None:
        note.error = error
    return _Page(status, challenge_html.notice(*_NOTICES.get(status, _OTHERWISE)))
