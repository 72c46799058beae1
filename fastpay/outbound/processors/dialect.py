"""The processors `stripe` and `localstripe`: servers that speak the dialect of the Stripe SDKs.

operation   request                                        found again by
authorize   POST /v1/payment_intents with confirm=true     metadata[fastpay_reference] of the payment
capture     POST /v1/payment_intents/ID/capture            the state of the payment
void        POST /v1/payment_intents/ID/cancel             the state of the payment
refund      POST /v1/refunds                               metadata[fastpay_reference] of its refunds
setup       POST /v1/setup_intents with confirm=true       metadata[fastpay_reference] of the setup
"""

from collections.abc import Mapping
from functools import partial

import msgspec

from fastpay import limits
from fastpay._native.signature import Signer, verify_webhook
from fastpay.engine.processors.configuration_ports import Secrets
from fastpay.engine.processors.ports import Declaration, Idempotency, Ignored, Notice, Order, Outcome
from fastpay.outbound.http import Answer, NoAnswerError
from fastpay.outbound.processors import dialect_answers as answers
from fastpay.outbound.processors import dialect_requests as requests
from fastpay.outbound.processors.calls import Calls, Deadline, decode, lost, unknown
from fastpay.outbound.processors.dialect_answers import Payment
from fastpay.outbound.processors.dialect_lookup import Lookup

_OK = 200
# The real one keeps answers for at least that long, and fastpay as well.
_KEY_LIFETIME_S = 86_400
_FOREIGN = "the processor answers about another reference"
# Of others it is not known yet what becomes of them.
_NOTICED_PAYMENTS = frozenset(
    f"payment_intent.{what}"
    for what in ("succeeded", "payment_failed", "amount_capturable_updated", "processing", "canceled")
)
_NOTICED_SETUPS = frozenset(("setup_intent.succeeded", "setup_intent.setup_failed", "setup_intent.canceled"))
_NOTICED_REFUNDS = frozenset(("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"))


class _Data(msgspec.Struct, frozen=True):
    object: msgspec.Raw


class _Event(msgspec.Struct, frozen=True):
    id: str
    type: str
    data: _Data


class _Named(msgspec.Struct, frozen=True):
    id: str


class _Ended(Exception):
    """The outcome is known before the order was sent."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


_EVENT = msgspec.json.Decoder(_Event)
_NAMED = msgspec.json.Decoder(_Named)


class DialectProcessor:
    """Satisfies `Processor`.

    With `is_basic`, the server knows only what localstripe does: cards are payment methods of their own, and
    there are no idempotency keys, no searches and no lists of a time.
    """

    def __init__(
        self,
        calls: Calls,
        secrets: Secrets,
        *,
        is_basic: bool = False,
        arrival_s: int = limits.processor_arrival_s,
    ) -> None:
        self.declaration = Declaration(
            receives_webhooks=secrets.webhook_secret is not None,
            setups=not is_basic,
            redirects=not is_basic,
            idempotency=None if is_basic else Idempotency(kept="responses", lifetime_s=_KEY_LIFETIME_S),
        )
        self._calls = calls
        self._headers = {"Authorization": f"Bearer {secrets.secret}"}
        self._lookup = Lookup(calls, self._headers, is_basic=is_basic, arrival_s=arrival_s)
        secret = secrets.webhook_secret
        self._signers = () if secret is None else (Signer(secret.encode()),)
        self._is_basic = is_basic

    async def carry_out(self, order: Order, *, timeout_ms: int) -> Outcome:
        """Send an order once, and return what is known. Cancelling it leaves the outcome unknown."""
        deadline = self._calls.deadline(timeout_ms)
        try:
            if order.operation in {"authorize", "setup"}:
                first = self._authorize if order.operation == "authorize" else self._set_up
                send = partial(first, order, await self._method_of(order, deadline))
            else:
                send = partial(self._follow_up, order, await self._payment_id_of(order, deadline))
        except _Ended as ended:
            return ended.outcome
        except NoAnswerError as error:
            # Whatever was sent so far moves no money.
            return Outcome(status="not_sent", reason=lost(error).reason)
        try:
            return await send(deadline)
        except NoAnswerError as error:
            return lost(error)

    async def inquire(self, order: Order, *, timeout_ms: int) -> Outcome | None:
        """Return what became of an order that was sent before, found by its reference."""
        deadline = self._calls.deadline(timeout_ms)
        # By the time before the questions: the order may arrive behind the answer that would show it.
        if_none = self._lookup.none_yet(order)
        try:
            if order.operation == "setup":
                setup = await self._lookup.setup(order, deadline)
                return answers.set_up(setup) if isinstance(setup, answers.Setup) else setup
            found = await self._lookup.payment(order, deadline)
            if not isinstance(found, Payment):
                return found
            if order.operation == "refund":
                refund = await self._lookup.refund(order, found.id, deadline)
                return answers.refunded(refund) if isinstance(refund, answers.Refund) else refund
        except NoAnswerError as error:
            return unknown(str(error))
        if order.operation == "authorize":
            return answers.authorized(found)
        outcome = answers.captured(found) if order.operation == "capture" else answers.voided(found)
        return if_none if outcome is None else outcome

    def receive(self, headers: Mapping[str, str], body: bytes) -> Notice | Ignored | None:
        """Return what a webhook says, or None if its signature is wrong."""
        signature = headers.get("stripe-signature", "").encode("latin-1", "replace")
        now_s = self._calls.clock.now_ms() // 1000
        if not self._signers or verify_webhook(self._signers, signature, body, now_s) is None:
            return None
        event = decode(_EVENT, body)
        if event is not None and event.type in _NOTICED_PAYMENTS:
            payment = decode(answers.PAYMENT, bytes(event.data.object))
            if payment is not None:
                return Notice(
                    id=event.id,
                    reference=payment.reference,
                    outcome=answers.authorized(payment),
                    follow_ups=answers.followed_up(payment),
                )
        if event is not None and event.type in _NOTICED_SETUPS:
            setup = decode(answers.SETUP, bytes(event.data.object))
            if setup is not None:
                return Notice(id=event.id, reference=setup.reference, outcome=answers.set_up(setup))
        if event is not None and event.type in _NOTICED_REFUNDS:
            refund = decode(answers.REFUND, bytes(event.data.object))
            if refund is not None:
                return Notice(id=event.id, reference=refund.reference, outcome=answers.refunded(refund))
        return Ignored()

    async def check(self, *, timeout_ms: int) -> str | None:
        """Return None if the processor answers and accepts our credentials, or else the reason."""
        deadline = self._calls.deadline(timeout_ms)
        try:
            answer = await self._lookup.get(requests.target(requests.PAYMENTS, limit=1), deadline)
        except NoAnswerError as error:
            return str(error)
        if answer.status != _OK:
            return answers.refused(answer).reason
        is_list = decode(answers.LISTED, answer.body) is not None
        return None if is_list else "the answer is not one of the dialect"

    async def _method_of(self, order: Order, deadline: Deadline) -> requests.Form:
        """Return the part of the form that says what is paid with. Raises: NoAnswerError, _Ended."""
        if order.token is not None:
            return requests.saved_card(order.token)
        if order.card is None:
            raise _Ended(Outcome(status="refused", reason="the order has neither a card nor a token"))
        customer: requests.Form = {}
        if order.saves:
            # The dialect keeps cards for customers only.
            key = f"{order.reference}-customer"
            made = await self._make(requests.CUSTOMERS, requests.customer(order), key, deadline)
            customer = {"customer": made}
        if not self._is_basic:
            is_paid = order.operation == "authorize"
            future = {"setup_future_usage": "off_session"} if order.saves and is_paid else {}
            return {**requests.inline_card(order.card), **customer, **future}
        method = await self._make(requests.METHODS, requests.own_card(order.card), None, deadline)
        if order.saves:
            await self._make(requests.attachment_path(method), customer, None, deadline)
        return {"payment_method": method, **customer}

    async def _make(self, path: str, form: requests.Form, key: str | None, deadline: Deadline) -> str:
        """Make what a payment needs, and return what it is called. Raises: NoAnswerError, _Ended."""
        made = await self._post(path, form, key, deadline)
        named = decode(_NAMED, made.body) if made.status == _OK else None
        if named is not None:
            return named.id
        refused = answers.refused(made)
        # It moves no money.
        is_open = refused.status == "unknown"
        raise _Ended(msgspec.structs.replace(refused, status="not_sent") if is_open else refused)

    async def _payment_id_of(self, order: Order, deadline: Deadline) -> str:
        """Return what the processor calls the payment of an order. Raises: NoAnswerError, _Ended."""
        if order.processor_id is not None:
            return order.processor_id
        found = await self._lookup.payment(order, deadline)
        if isinstance(found, Payment):
            return found.id
        reason = "the processor has no such payment" if found is None else found.reason
        raise _Ended(Outcome(status="not_sent", reason=reason))

    async def _authorize(self, order: Order, method: requests.Form, deadline: Deadline) -> Outcome:
        """Send an authorization. Raises: NoAnswerError."""
        form = requests.authorization(order, method)
        if not self._is_basic:
            form = {**form, **requests.texts(order)}
        payment = answers.payment_of(await self._post(requests.PAYMENTS, form, order.reference, deadline))
        if isinstance(payment, Outcome):
            return payment
        return unknown(_FOREIGN) if payment.reference != order.reference else answers.authorized(payment)

    async def _set_up(self, order: Order, method: requests.Form, deadline: Deadline) -> Outcome:
        """Send a setup. Raises: NoAnswerError."""
        form = requests.setup(order, method)
        setup = answers.setup_of(await self._post(requests.SETUPS, form, order.reference, deadline))
        if isinstance(setup, Outcome):
            return setup
        return unknown(_FOREIGN) if setup.reference != order.reference else answers.set_up(setup)

    async def _follow_up(self, order: Order, payment_id: str, deadline: Deadline) -> Outcome:
        """Send what is done to a payment. Raises: NoAnswerError."""
        if order.operation == "refund":
            form = requests.refund(order, payment_id)
            refund = answers.refund_of(await self._post(requests.REFUNDS, form, order.reference, deadline))
            if isinstance(refund, Outcome):
                return refund
            return unknown(_FOREIGN) if refund.reference != order.reference else answers.refunded(refund)
        is_capture = order.operation == "capture"
        path = requests.payment_path(payment_id, "/capture" if is_capture else "/cancel")
        form = requests.capture(order) if is_capture else {}
        payment = answers.payment_of(await self._post(path, form, order.reference, deadline))
        if isinstance(payment, Outcome):
            return await self._unless_done(order, payment, deadline)
        if payment.id != payment_id:
            return unknown(_FOREIGN)
        outcome = answers.captured(payment) if is_capture else answers.voided(payment)
        return unknown("the processor answers that nothing has changed") if outcome is None else outcome

    async def _unless_done(self, order: Order, outcome: Outcome, deadline: Deadline) -> Outcome:
        """Return the outcome, unless it is a refusal of what is done already, whoever asked for that."""
        if outcome.status != "refused" or outcome.retry == "later":
            return outcome
        try:
            payment = await self._lookup.payment(order, deadline)
        except NoAnswerError:
            return outcome
        if not isinstance(payment, Payment):
            return outcome
        found = answers.captured(payment) if order.operation == "capture" else answers.voided(payment)
        return outcome if found is None or found.status != "approved" else found

    async def _post(self, path: str, form: requests.Form, key: str | None, deadline: Deadline) -> Answer:
        headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
        if key is not None and not self._is_basic:
            headers["Idempotency-Key"] = key
        body = requests.encode(form)
        return await self._calls.send("POST", path, headers=headers, body=body, deadline=deadline)
