"""What each mode says of a number that it does not take: test mode takes test numbers, live mode none yet."""

from fastpay.api.context import Call
from fastpay.errors import CardDeclined, InvalidRequest


def unknown_number(call: Call) -> CardDeclined | InvalidRequest:
    """Return the error for the number of a card or account that is no test number."""
    if call.scope.livemode:
        return InvalidRequest(
            "No processor is configured for live payments, so no card can be taken.",
            code="processor_not_configured",
        )
    return CardDeclined(
        "Your card was declined. The request was in test mode, and the card is not a test card.",
        decline_code="test_mode_live_card",
    )


def refuse_in_live_mode(call: Call) -> None:
    """Raise CardDeclined in live mode, for a test number."""
    if call.credentials.scope.livemode:
        raise CardDeclined(
            "Your card was declined. The request was in live mode, and the card is a test card.",
            decline_code="live_mode_test_card",
        )
