"""The challenge of 3-D Secure: the cardholder authenticates on a page, and comes back to the merchant's."""

from typing import TypeVar

import msgspec

from fastpay.domain.objects import PaymentIntent
from fastpay.domain.setup_objects import SetupIntent

_Intent = TypeVar("_Intent", bound=PaymentIntent | SetupIntent)


def begin(intent: _Intent, page: str | None) -> _Intent:
    """Return the intent waiting for its cardholder, with the URL to redirect to if there is a page.

    `page` is that URL without the identifier of the intent. It is good for this attempt only: the next one
    has another page, or none. Without a URL to return to, there is none.
    """
    url = None if page is None or intent.return_url is None else f"{page}/{intent.id}"
    return msgspec.structs.replace(intent, status="requires_action", challenge_url=url)
