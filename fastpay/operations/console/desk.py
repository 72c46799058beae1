"""Carries out what operators ask for in the console: commands like those of clients, and a note of each."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from fastpay import limits
from fastpay.admin.console.ports import Done, Operator, Order
from fastpay.api import follow_ups
from fastpay.api.context import Services
from fastpay.domain import kinds
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.money import read_amount
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.plan import Command
from fastpay.domain.processor_objects import RESOLUTIONS
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.reviews import ResolveAttempt
from fastpay.engine.ports import Submission
from fastpay.engine.processors.routed import FollowUp
from fastpay.errors import InvalidRequest, NotFound
from fastpay.operations.console.administrator import STALE, Administrator
from fastpay.operations.console.endpoint_desk import EndpointDesk, OperatorsWriter, is_carried_out
from fastpay.operations.console.routes import RouteDesk
from fastpay.store.histories import PostgresHistories
from fastpay.store.reads import PostgresReads


class _Asked(NamedTuple):
    """What the audit trail calls an action, and the command for a payment and an amount."""

    noted: str
    command: Callable[[str, int | None, Mapping[str, str]], Command]


_ON_PAYMENTS: Mapping[str, _Asked] = {
    "capture": _Asked(
        "captured", lambda identifier, amount, _: CapturePaymentIntent(id=identifier, amount=amount)
    ),
    "cancel": _Asked(
        "canceled", lambda identifier, *_: CancelPaymentIntent(id=identifier, reason="requested_by_customer")
    ),
    "refund": _Asked(
        "refunded", lambda identifier, amount, _: CreateRefund(payment_intent=identifier, amount=amount)
    ),
    "resolve": _Asked("resolved", lambda identifier, _, fields: _resolve(identifier, fields)),
}


# What the processor of a live payment is asked to do.
_FOLLOW_UPS = (CapturePaymentIntent, CancelPaymentIntent, CreateRefund)


def _resolve(identifier: str, fields: Mapping[str, str]) -> Command:
    """Return the decision about an attempt of a payment. Raises: InvalidRequest."""
    note = fields.get("note", "").strip()
    resolution = next((one for one in RESOLUTIONS if one == fields.get("resolution")), None)
    if resolution is None or not 0 < len(note) <= limits.review_note_chars_max:
        raise InvalidRequest("Say what became of the attempt, and how you know.")
    attempt = kinds.check(kinds.ATTEMPT, fields.get("attempt", ""), param="attempt")
    return ResolveAttempt(id=attempt, payment_intent=identifier, resolution=resolution, note=note)


class Reception:
    """Satisfies `Desk`: hands an order to whoever carries it out."""

    def __init__(
        self,
        payments: "PaymentDesk",
        endpoints: EndpointDesk,
        administrator: Administrator,
        routes: RouteDesk,
    ) -> None:
        self._payments = payments
        self._endpoints = endpoints
        self._administrator = administrator
        self._routes = routes

    async def carry_out(self, operator: Operator, order: Order) -> Done:
        """Commit it together with the note of it. Raises: FastpayError."""
        if order.folder in ("keys", "tenants"):
            return await self._administrator.carry_out(operator, order)
        if order.folder == "routes":
            return await self._routes.carry_out(operator, order)
        if order.folder == "endpoints":
            return await self._endpoints.carry_out(operator, order)
        return await self._payments.carry_out(operator, order)


class PaymentDesk:
    """Captures, cancels and refunds: submits to this instance's own writer, then calls processors."""

    def __init__(self, services: Services, reads: PostgresReads) -> None:
        self._services = services
        self._reads = reads
        self._histories = PostgresHistories(reads)

    async def carry_out(self, operator: Operator, order: Order) -> Done:
        """Commit it together with the note of it. Raises: FastpayError."""
        scope = Scope(order.tenant_id, order.livemode)
        command = await self._command(scope, order)
        if "seen" in order.fields:
            await self._check_seen(scope, order)
        services, request_id = self._services, self._services.identifiers.request_id()
        writer = OperatorsWriter(
            services.writer, operator, order, f"payment.{_ON_PAYMENTS[order.action].noted}"
        )
        writer.admit(scope)
        command, followed = await self._with_terms(scope, command, request_id)
        stamp = services.identifiers.stamp()
        submission = writer.noted(
            Submission(
                scope=scope,
                command=command,
                request_id=request_id,
                moment_ms=stamp.moment_ms,
                head=stamp.head,
                tail=stamp.tail,
            )
        )
        outcome = await services.writer.submit(submission)
        if followed is not None and services.live_payments is not None:
            # With the key of the form, so that its final answer is kept like that of a client's key.
            outcome = await services.live_payments.calls.follow(followed, submission, outcome)
        services.reader.acknowledged(scope, outcome.answer.sequence)
        error = outcome.answer.error
        if error is not None:
            raise InvalidRequest(error.message)
        return Done()

    async def _with_terms(
        self, scope: Scope, command: Command, request_id: str
    ) -> tuple[Command, FollowUp | None]:
        """Return a command with the terms of its attempt in live mode, as the API's endpoints do."""
        if not scope.livemode or not isinstance(command, _FOLLOW_UPS):
            return command, None
        if isinstance(command, CancelPaymentIntent):
            await follow_ups.end_waiting(self._services, scope, command.id)
        followed = follow_ups.follow_up(self._services, scope, request_id)
        if followed is None:
            return command, None
        return msgspec.structs.replace(command, terms=followed.terms), followed

    async def _check_seen(self, scope: Scope, order: Order) -> None:
        """Raise InvalidRequest if the payment has changed since the page was opened, but not by this form."""
        versions = await self._histories.versions(scope, order.subject)
        seen = str(max((versioned.sequence for versioned in versions), default=0))
        if seen != order.fields["seen"] and not await is_carried_out(self._reads, order):
            raise InvalidRequest(STALE)

    async def _command(self, scope: Scope, order: Order) -> Command:
        if not is_well_formed(order.subject, PaymentIntent.prefix) or order.action not in _ON_PAYMENTS:
            raise NotFound("There is no such action.")
        reading = await self._reads.read_latest([(scope, order.subject)])
        found = next((versioned.object for versioned in reading.objects), None)
        if not isinstance(found, PaymentIntent):
            raise NotFound("There is no such payment.")
        typed = order.fields.get("amount", "")
        amount = read_amount(typed, found.currency) if typed.strip() else None
        return _ON_PAYMENTS[order.action].command(order.subject, amount, order.fields)
