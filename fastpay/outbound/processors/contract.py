"""The processor `http`: anybody's service that speaks our own contract (docs/PROCESSORS.md).

operation   POST URL/operations, signed, with the order in JSON
inquiry     GET URL/operations/REFERENCE, signed
check       GET URL/operations, signed
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal
from urllib.parse import quote, urlsplit

import msgspec

from fastpay import limits
from fastpay._native.signature import Signer, sign_request, sign_standard_webhook
from fastpay.domain.processor_objects import Operation
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.engine.processors.ports import (
    CardData,
    Declaration,
    Idempotency,
    Ignored,
    Notice,
    Order,
    Outcome,
    Retry,
)
from fastpay.observability import telemetry
from fastpay.outbound.http import Answer, NoAnswerError
from fastpay.outbound.processors.calls import Calls, Deadline, decode, lost, none_yet, shorten, unknown
from fastpay.outbound.signatures import standard_key
from fastpay.signing import HEADER, KEY_HEADER

_log = telemetry.Log("fastpay.processors")

_OK = 200
_NOT_FOUND = 404
_TOO_MANY = 429
_REFUSALS = range(400, 500)
_OPERATIONS = "/operations"
# A part of the contract.
_KEY_LIFETIME_S = 30 * 86_400
_TIME_CHARS_MAX = 12


class _Sent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An order on the wire."""

    operation: Operation
    reference: str
    amount: int
    currency: str
    captures: bool
    authorization: str | None = None
    id: str | None = None
    card: CardData | None = None
    token: str | None = None
    save: bool = False
    description: str | None = None
    statement_descriptor: str | None = None
    return_url: str | None = None
    metadata: Mapping[str, str] = {}


class _Answered(msgspec.Struct, frozen=True, kw_only=True):
    """An outcome on the wire."""

    status: Literal["approved", "declined", "requires_action", "pending", "refused"]
    reference: str
    id: str | None = None
    amount: int | None = None
    currency: str | None = None
    captured: bool = False
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    retry: Retry = "never"
    redirect_url: str | None = None
    token: str | None = None


class _NotFound(msgspec.Struct, frozen=True):
    status: Literal["not_found"]
    reference: str


class _Refused(msgspec.Struct, frozen=True):
    status: Literal["refused"]
    message: str = ""


_ENCODER = msgspec.json.Encoder()
_ANSWERED = msgspec.json.Decoder(_Answered)
_NOT_FOUND_BODY = msgspec.json.Decoder(_NotFound)
_REFUSED = msgspec.json.Decoder(_Refused)


class ContractProcessor:
    """Satisfies `Processor`."""

    def __init__(
        self, calls: Calls, secrets: Secrets, url: str, *, arrival_s: int = limits.processor_arrival_s
    ) -> None:
        """Raises: ValueError if the webhook secret is not whsec_ and base64."""
        self.declaration = Declaration(
            receives_webhooks=secrets.webhook_secret is not None,
            redirects=True,
            idempotency=Idempotency(kept="responses", lifetime_s=_KEY_LIFETIME_S),
        )
        self._calls = calls
        self._path = urlsplit(url).path.rstrip("/")
        self._signers = (Signer(secrets.secret.encode()),)
        secret = secrets.webhook_secret
        self._webhook_signer = None if secret is None else Signer(standard_key(secret))
        self._arrival_s = arrival_s

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        """Send an order once, and return what is known. Cancelling it leaves the outcome unknown."""
        body, deadline = _ENCODER.encode(_sent(order)), self._calls.deadline(timeout_ms)
        try:
            answer = await self._send("POST", _OPERATIONS, deadline, body=body, key=order.reference)
        except NoAnswerError as error:
            return lost(error)
        return _outcome(order.reference, answer)

    def send_nowait(self, order: Order, done: Callable[[Outcome], None], *, timeout_ms: int) -> bool:
        """Send an order once within this turn of the event loop, or return False. See `PromptProcessor`."""
        lent = self._calls.lend(_OPERATIONS)
        if lent is None:
            return False
        reference = order.reference

        def answered(answer: Answer | NoAnswerError) -> None:
            self._calls.ended()
            done(_known(reference, answer))

        try:
            body = _ENCODER.encode(_sent(order))
            headers = self._headers("POST", _OPERATIONS, body=body, key=reference)
            lent.send("POST", answered, headers=headers, body=body, timeout_ms=timeout_ms)
        except BaseException:
            lent.give_back()
            self._calls.ended()
            raise
        return True

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        """Return what became of an order that was sent before, found by its reference."""
        target = f"{_OPERATIONS}/{quote(order.reference, safe='')}"
        # By the time before the question: the order may arrive behind its answer.
        if_none = none_yet(order, self._calls.clock, self._arrival_s)
        try:
            answer = await self._send("GET", target, self._calls.deadline(timeout_ms))
        except NoAnswerError as error:
            return unknown(str(error))
        if answer.status == _OK:
            return _said(order.reference, answer)
        missing = decode(_NOT_FOUND_BODY, answer.body) if answer.status == _NOT_FOUND else None
        if missing is not None and missing.reference == order.reference:
            return if_none
        return unknown(f"the processor answers {answer.status}")

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | Ignored | None:
        """Return what a webhook says, or None if its signature is wrong.

        Source: the Standard Webhooks specification, 1.0.
        """
        identifier = headers.get("webhook-id", "")
        if not self._is_signed(identifier, headers, body):
            return None
        answered = decode(_ANSWERED, body)
        if answered is None:
            return Ignored()
        return Notice(id=identifier, reference=answered.reference, outcome=_read(answered))

    async def check(self, *, timeout_ms: int) -> str | None:
        """Return None if the processor answers and accepts our signature, or else the reason."""
        try:
            answer = await self._send("GET", _OPERATIONS, self._calls.deadline(timeout_ms))
        except NoAnswerError as error:
            return str(error)
        return None if answer.status == _OK else f"the processor answers {answer.status}"

    def _is_signed(self, identifier: str, headers: Mapping[str, str], body: bytes) -> bool:
        time = headers.get("webhook-timestamp", "")
        if self._webhook_signer is None or not (identifier + time).isascii() or not time.isdigit():
            return False
        # A full stop could move bytes between what is signed.
        if not 0 < len(identifier) <= limits.processor_identifier_chars_max or "." in identifier:
            return False
        timestamp = int(time[:_TIME_CHARS_MAX])
        if abs(self._calls.clock.now_ms() // 1000 - timestamp) > limits.signature_tolerance_s:
            return False
        right = sign_standard_webhook((self._webhook_signer,), identifier, body, timestamp).encode()
        given = headers.get("webhook-signature", "").encode("latin-1", "replace").split(b" ")
        return any(hmac.compare_digest(one, right) for one in given[: limits.signature_candidates_max])

    def _send(
        self, method: str, target: str, deadline: Deadline, *, body: bytes = b"", key: str | None = None
    ) -> Awaitable[Answer]:
        """Send a request that is signed. Raises: NoAnswerError when it is awaited."""
        headers = self._headers(method, target, body=body, key=key)
        return self._calls.send(method, target, headers=headers, body=body, deadline=deadline)

    def _headers(self, method: str, target: str, *, body: bytes, key: str | None) -> dict[str, str]:
        at_s, signed_key = self._calls.clock.now_ms() // 1000, b"" if key is None else key.encode()
        path = (self._path + target).encode()
        headers = {HEADER: sign_request(self._signers, method, path, body, at_s, signed_key)}
        if key is not None:
            headers[KEY_HEADER] = key
            headers["Content-Type"] = "application/json"
        return headers


def _sent(order: Order) -> _Sent:
    return _Sent(
        operation=order.operation,
        reference=order.reference,
        amount=order.amount,
        currency=order.currency,
        captures=order.captures,
        authorization=order.authorization,
        id=order.processor_id,
        card=order.card,
        token=order.token,
        save=order.saves,
        description=order.description,
        statement_descriptor=order.statement_descriptor,
        return_url=order.return_url,
        metadata=order.metadata,
    )


def _known(reference: str, answer: Answer | NoAnswerError) -> Outcome:
    """Return what is known after an order. A fault of ours says nothing of what the processor has done."""
    try:
        return lost(answer) if isinstance(answer, NoAnswerError) else _outcome(reference, answer)
    except Exception as error:  # noqa: BLE001  who is given the outcome waits for one
        _log.error("processor_call_failed", attempt=reference, error=type(error).__name__)
        return unknown("the call failed")


def _outcome(reference: str, answer: Answer) -> Outcome:
    return _said(reference, answer) if answer.status == _OK else _refused(answer)


def _said(reference: str, answer: Answer) -> Outcome:
    answered = decode(_ANSWERED, answer.body)
    if answered is None:
        return unknown("the answer of the processor cannot be read")
    if answered.reference != reference:
        return unknown("the processor answers about another reference")
    return _read(answered)


def _read(answered: _Answered) -> Outcome:
    code, decline_code, message = answered.code, answered.decline_code, answered.message
    code = None if code is None else shorten(code)
    decline_code = None if decline_code is None else shorten(decline_code)
    message = None if message is None else shorten(message)
    return Outcome(
        status=answered.status,
        processor_id=answered.id,
        amount=answered.amount,
        currency=None if answered.currency is None else answered.currency.lower(),
        is_captured=answered.captured,
        code=code,
        decline_code=decline_code,
        message=message,
        retry=answered.retry,
        redirect_url=answered.redirect_url,
        token=answered.token,
        reason=decline_code or code or "",
    )


def _refused(answer: Answer) -> Outcome:
    """Return what is known after an answer that is no outcome: only a refusal in JSON says something."""
    found = decode(_REFUSED, answer.body) if answer.status in _REFUSALS else None
    if found is None:
        return unknown(f"the processor answers {answer.status}")
    retry: Retry = "later" if answer.status == _TOO_MANY else "never"
    reason = shorten(f"the processor answers {answer.status}: {found.message}")
    return Outcome(status="refused", retry=retry, reason=reason)
