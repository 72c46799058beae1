"""Webhooks signed in both formats that receivers use, with one secret."""

import base64
import binascii

from fastpay._native.signature import Signer, sign_standard_webhook, sign_webhook

PREFIX = "whsec_"


class WebhookSigner:
    """Signs deliveries to an endpoint with its secret, or with several during a rotation."""

    def __init__(self, *secrets: str) -> None:
        """Each secret is `whsec_` and the base64 of at least one byte. Raises: ValueError."""
        if not secrets:
            raise ValueError("at least one secret is needed, and none may be empty")
        keys = [standard_key(secret) for secret in secrets]
        self._stripe = tuple(Signer(secret.encode()) for secret in secrets)
        self._standard = tuple(map(Signer, keys))

    def headers(self, identifier: str, body: bytes, timestamp: int) -> list[tuple[bytes, bytes]]:
        """Return the headers of one attempt: the dialect's own, and those of Standard Webhooks.

        `identifier` and the body are the same on every attempt; the timestamp is the attempt's, in seconds
        since 1970. Raises: ValueError for an identifier that contains a full stop.
        """
        if not identifier or "." in identifier:
            raise ValueError("the identifier must not contain a full stop")
        standard = sign_standard_webhook(self._standard, identifier, body, timestamp)
        return [
            (b"stripe-signature", sign_webhook(self._stripe, body, timestamp).encode()),
            (b"webhook-id", identifier.encode()),
            (b"webhook-timestamp", b"%d" % timestamp),
            (b"webhook-signature", standard.encode()),
        ]


def standard_key(secret: str) -> bytes:
    """Return the key in the secret of a webhook. Raises: ValueError, which shows nothing of it."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not key:
        # Without its cause, which would show a part of the secret in a traceback.
        raise ValueError("the secret of a webhook must be whsec_ followed by base64")
    return key
