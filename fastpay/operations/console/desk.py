"""Carries out what operators ask for in the console: commands like those of clients, and a note of each."""

import hashlib
from collections.abc import Callable, Mapping

from fastpay.admin.console.ports import Operator, Order
from fastpay.api.context import Services
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent
from fastpay.domain.identifiers import Scope, is_well_formed
from fastpay.domain.money import read_amount
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CreateRefund
from fastpay.domain.webhook_endpoints import EnableEndpoint, PingEndpoint, WebhookEndpoint
from fastpay.engine.ports import OperatorAction, Submission
from fastpay.errors import InvalidRequest, NotFound
from fastpay.store.reads import PostgresReads

_ON_PAYMENTS: Mapping[str, Callable[[str, int | None], Command]] = {
    "capture": lambda identifier, amount: CapturePaymentIntent(id=identifier, amount=amount),
    "cancel": lambda identifier, _: CancelPaymentIntent(id=identifier, reason="requested_by_customer"),
    "refund": lambda identifier, amount: CreateRefund(payment_intent=identifier, amount=amount),
}
_ON_ENDPOINTS: Mapping[str, Callable[[str], Command]] = {
    "enable": lambda identifier: EnableEndpoint(id=identifier),
    "ping": lambda identifier: PingEndpoint(id=identifier),
}


class WriterDesk:
    """Satisfies `Desk`: submits to this instance's own writer."""

    def __init__(self, services: Services, reads: PostgresReads) -> None:
        self._services = services
        self._reads = reads

    async def carry_out(self, operator: Operator, order: Order) -> None:
        """Commit it together with the note of it. Raises: FastpayError."""
        scope = Scope(order.tenant_id, order.livemode)
        command = await self._command(scope, order)
        services = self._services
        stamp = services.identifiers.stamp()
        asked = "\0".join((operator.operator_id.hex, order.subject, order.action, order.typed))
        services.writer.admit(scope)
        outcome = await services.writer.submit(
            Submission(
                scope=scope,
                command=command,
                request_id=services.identifiers.request_id(),
                moment_ms=stamp.moment_ms,
                head=stamp.head,
                tail=stamp.tail,
                # No client can send this one: theirs have no line break.
                idempotency_key=f"console\n{order.key}",
                fingerprint=hashlib.sha256(asked.encode()).digest(),
                action=OperatorAction(operator.name, _name(order), order.subject),
            )
        )
        services.reader.acknowledged(scope, outcome.answer.sequence)
        error = outcome.answer.error
        if error is not None:
            raise InvalidRequest(error.message)

    async def _command(self, scope: Scope, order: Order) -> Command:
        if is_well_formed(order.subject, WebhookEndpoint.prefix) and order.action in _ON_ENDPOINTS:
            return _ON_ENDPOINTS[order.action](order.subject)
        if not is_well_formed(order.subject, PaymentIntent.prefix) or order.action not in _ON_PAYMENTS:
            raise NotFound("There is no such action.")
        reading = await self._reads.read_latest([(scope, order.subject)])
        found = next((versioned.object for _, versioned in reading.objects), None)
        if not isinstance(found, PaymentIntent):
            raise NotFound("There is no such payment.")
        amount = read_amount(order.typed, found.currency) if order.typed.strip() else None
        return _ON_PAYMENTS[order.action](order.subject, amount)


def _name(order: Order) -> str:
    return f"payment.{order.action}" if order.action in _ON_PAYMENTS else f"endpoint.{order.action}"
