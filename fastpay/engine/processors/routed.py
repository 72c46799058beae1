"""Where the order of a request goes, and what it is, before any processor is called."""

from collections.abc import Sequence

import msgspec

from fastpay.domain.attempts import future_usage, is_manual
from fastpay.domain.error_links import ErrorLinks
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.processor_objects import NO_CURRENCY, Attempt, AttemptTerms, Route
from fastpay.domain.setup_objects import SetupIntent
from fastpay.engine.processors import ports


class Routed(msgspec.Struct, frozen=True):
    """The processors that a payment may go to, and its route to the first one. `card` is in memory only.

    So is the `token` of one that the processor keeps. `links` say where a decline is explained. A cardholder
    who `is_absent` cannot authenticate.
    """

    chosen: Sequence[ports.Chosen]
    route: Route
    card: ports.CardData | None
    links: ErrorLinks
    is_absent: bool = False
    token: str | None = None

    def __repr__(self) -> str:
        """Show nothing of the card."""
        return f"Routed({self.route!r})"


class FollowUp(msgspec.Struct, frozen=True):
    """A capture, a void or a refund of a request: the processor that has authorized the payment is called.

    `links` say where a decline is explained.
    """

    terms: AttemptTerms
    links: ErrorLinks


def order(route: Route, intent: PaymentIntent | SetupIntent, routed: Routed) -> ports.Order:
    """Return what the processor is to do."""
    if isinstance(intent, SetupIntent):
        return ports.Order(
            operation="setup",
            reference=route.reference,
            amount=0,
            currency=NO_CURRENCY,
            card=routed.card,
            token=routed.token,
            saves=True,
            description=intent.description,
            return_url=intent.return_url,
            metadata=intent.metadata,
        )
    saves = routed.card is not None and intent.customer is not None and future_usage(intent) is not None
    return _authorization(
        route.reference,
        intent,
        card=routed.card,
        token=routed.token,
        saves=saves,
        is_absent=routed.is_absent,
    )


def order_again(attempt: Attempt, intent: PaymentIntent, token: str) -> ports.Order:
    """Return the order of an authorization whose card the processor keeps, as it was sent first.

    If the payment's texts have changed since, the processor refuses the key, which says nothing.
    """
    return _authorization(attempt.id, intent, token=token, is_absent=attempt.is_absent)


def _authorization(
    reference: str,
    intent: PaymentIntent,
    *,
    card: ports.CardData | None = None,
    token: str | None,
    saves: bool = False,
    is_absent: bool,
) -> ports.Order:
    return ports.Order(
        operation="authorize",
        reference=reference,
        amount=intent.amount,
        currency=intent.currency,
        card=card,
        token=token,
        saves=saves,
        captures=not is_manual(intent),
        description=intent.description,
        statement_descriptor=intent.statement_descriptor or intent.statement_descriptor_suffix,
        # Without a way back a payment that needs the cardholder is declined.
        return_url=None if is_absent else intent.return_url,
        metadata=intent.metadata,
    )
