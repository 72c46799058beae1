"""What clients use in place of a request that the dialect once had, and that is not served."""

from collections.abc import Mapping

# By method and path.
INSTEAD: Mapping[tuple[str, str], str] = {
    ("POST", "/v1/charges"): (
        "Payment intents make charges: send POST /v1/payment_intents with amount, currency, confirm=true and "
        "the customer or a payment_method; a token goes into payment_method_data[card][token]."
    ),
}
