"""What the options of a payment mean for its next attempt."""

import msgspec

from fastpay.domain.cards import BEHAVIOURS, Behaviour, Card, overcapture_max
from fastpay.domain.objects import PaymentIntent, PaymentMethod
from fastpay.domain.options import AttemptOptions, Authentication, CardOptions, ChargeExtras, PaymentExtras

AVAILABLE = "if_available"
AUTHORIZATION_VALID_S = 7 * 24 * 3600
EXTENDED_AUTHORIZATION_VALID_S = 30 * 24 * 3600

# What a charge shows of an authentication on our own page.
_CHALLENGED = Authentication(
    result="authenticated", flow="challenge", electronic_commerce_indicator="05", version="2.2.0"
)
_NO_ATTEMPT_OPTIONS = AttemptOptions()
_NO_CARD_OPTIONS = CardOptions()
_NO_EXTRAS = ChargeExtras()


def options_of(intent: PaymentIntent) -> AttemptOptions:
    """Return the options of the next attempt."""
    return (intent.extras and intent.extras.next_attempt) or _NO_ATTEMPT_OPTIONS


def without_options(intent: PaymentIntent) -> PaymentIntent:
    """Return the payment without what was meant for this attempt: the next one may be with another card."""
    if intent.extras is None or intent.extras.next_attempt is None:
        return intent
    return msgspec.structs.replace(intent, extras=msgspec.structs.replace(intent.extras, next_attempt=None))


def authenticated(intent: PaymentIntent) -> PaymentIntent:
    """Return the payment for the merchant to confirm: its cardholder has authenticated the next attempt."""
    assert intent.payment_method is not None
    agreed = (intent.payment_method, intent.amount, intent.currency)
    once = msgspec.structs.replace(options_of(intent), authenticated=agreed)
    extras = msgspec.structs.replace(intent.extras or PaymentExtras(), next_attempt=once)
    return msgspec.structs.replace(intent, status="requires_confirmation", extras=extras)


def is_authenticated(intent: PaymentIntent, payment_method: str | None) -> bool:
    """Tell whether the cardholder has authenticated the next attempt with this payment method."""
    return options_of(intent).authenticated == (payment_method, intent.amount, intent.currency)


def is_manual(intent: PaymentIntent) -> bool:
    """Tell whether a card that pays is only authorized, and captured by hand."""
    if intent.capture_method == "manual":
        return True
    return intent.extras is not None and _card_options(intent).capture_method == "manual"


def future_usage(intent: PaymentIntent) -> str | None:
    """Return what the payment method is saved to the customer for, None if it is not. Options go first."""
    usage = _card_options(intent).setup_future_usage or intent.setup_future_usage
    return None if usage == "none" else usage


def asks_cardholder(
    intent: PaymentIntent, method: PaymentMethod, behaviour: Behaviour, *, is_absent: bool
) -> bool:
    """Tell whether the cardholder must authenticate, whether or not they can."""
    once = options_of(intent)
    if once.authentication is not None and once.authentication.is_successful:
        return False
    match behaviour.needs_authentication:
        case "always":
            return True
        case "unless_set_up":
            is_set_up = (method.is_set_up and method.customer is not None) or once.has_agreement
            return not once.moto and not (is_absent and is_set_up)
        case "on_session":
            return not once.moto and not is_absent
    return (
        behaviour.is_enrolled
        and not (is_absent or once.moto)
        and _card_options(intent).request_three_d_secure != "automatic"
    )


def charge_extras(intent: PaymentIntent, paid_by: Card, *, was_challenged: bool) -> ChargeExtras | None:
    """Return what the charge of this attempt shows of the payment's options."""
    behaviour = BEHAVIOURS[paid_by.behaviour]
    kept = intent.extras or PaymentExtras()
    card, once = _card_options(intent), options_of(intent)
    authentication = once.authentication
    if was_challenged:
        authentication = _CHALLENGED
    elif authentication is None and card.request_three_d_secure != "automatic":
        authentication = None if behaviour.is_enrolled else behaviour.unenrolled
    manual = is_manual(intent)
    extras = ChargeExtras(
        authentication=authentication,
        has_extended_authorization=manual and card.request_extended_authorization == AVAILABLE,
        has_incremental_authorization=manual and card.request_incremental_authorization == AVAILABLE,
        has_multicapture=manual and card.request_multicapture == AVAILABLE,
        level3=kept.level3,
        moto=True if once.moto else None,
        overcapture_max=(
            overcapture_max(paid_by, intent.amount)
            if manual and card.request_overcapture == AVAILABLE
            else None
        ),
        network=card.network,
        network_transaction_id=once.network_transaction_id,
        radar_options=kept.radar_options,
        application_fee_amount=kept.application_fee_amount,
        destination=kept.destination,
        on_behalf_of=kept.on_behalf_of,
        transfer_amount=kept.transfer_amount,
    )
    return None if extras == _NO_EXTRAS else extras


def live_extras(extras: ChargeExtras | None, attempt: str) -> ChargeExtras:
    """Return what the charge of a live payment shows. No processor is asked for what is stripped off here."""
    if extras is None:
        return ChargeExtras(attempt=attempt)
    return msgspec.structs.replace(
        extras,
        attempt=attempt,
        has_extended_authorization=False,
        has_incremental_authorization=False,
        has_multicapture=False,
        overcapture_max=None,
    )


def authorized_until(extras: ChargeExtras | None, moment_s: int) -> int | None:
    """Return until when a charge can be captured. Of a live one only its processor knows."""
    if extras is None:
        return moment_s + AUTHORIZATION_VALID_S
    if extras.attempt is not None:
        return None
    is_extended = extras.has_extended_authorization
    return moment_s + (EXTENDED_AUTHORIZATION_VALID_S if is_extended else AUTHORIZATION_VALID_S)


def _card_options(intent: PaymentIntent) -> CardOptions:
    return (intent.extras and intent.extras.card) or _NO_CARD_OPTIONS
