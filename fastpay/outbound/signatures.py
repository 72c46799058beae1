"""Webhooks signed in both ways that receivers know, with one secret."""

import base64
import binascii

from fastpay._native.signature import Signer, sign_standard_webhook, sign_webhook

PREFIX = "whsec_"


class WebhookSigner:
    """Signs deliveries to an endpoint with its secret; with several, while one takes the place of another."""

    def __init__(self, *secrets: str) -> None:
        """A secret is `whsec_` and the base64 of at least one byte. Raises: ValueError, not showing it."""
        if not secrets:
            raise ValueError("there is nothing to sign with")
        keys = [_standard_key(secret) for secret in secrets]
        self._stripe = tuple(Signer(secret.encode()) for secret in secrets)
        self._standard = tuple(map(Signer, keys))

    def headers(self, identifier: str, body: bytes, timestamp: int) -> list[tuple[bytes, bytes]]:
        """Return the headers of one attempt: the dialect's own, and those of Standard Webhooks.

        `identifier` is the same on every attempt, and so is the body; the timestamp is of the attempt, in
        seconds since 1970. Raises: ValueError for an identifier that could be taken for two parts.
        """
        if not identifier or "." in identifier:
            raise ValueError("a full stop ends the identifier in what is signed: it must hold none")
        standard = sign_standard_webhook(self._standard, identifier, body, timestamp)
        return [
            (b"stripe-signature", sign_webhook(self._stripe, body, timestamp).encode()),
            (b"webhook-id", identifier.encode()),
            (b"webhook-timestamp", b"%d" % timestamp),
            (b"webhook-signature", standard.encode()),
        ]


def _standard_key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not key:
        # Without its cause, which would show a part of the secret in a traceback.
        raise ValueError("the secret of an endpoint is whsec_ and base64 after it")
    return key
