"""HMAC-SHA256 signatures of requests and webhooks: made, and checked in constant time.

A header is `t=<seconds since 1970>,v2=<hex>`: elements `name=value` with commas between and no white space,
in any order. There is one `t`, without sign or leading zeros, and at least one and at most
`limits.signature_candidates_max` signatures of 64 lower-case digits. Elements with other names are ignored.
Any violation of these rules makes the whole header invalid.

| version | of         | signed text                                                    |
|---------|------------|----------------------------------------------------------------|
| v1      | a request  | `t.METHOD.target.hex(sha256(body))`                            |
| v2      | a request  | `t.METHOD.target.idempotency-key.hex(sha256(body))`            |
| v1      | a webhook  | `t.body`                                                       |

The idempotency key is the value of the header as it is sent, quotes included, or empty without the header.
In it, `%` is written `%25` and `.` is written `%2E`: a target may contain full stops too, and the text must
have only one interpretation. If a header has a v2, every v1 in it is ignored.

Several signers are secrets that are valid at the same time: signing makes one signature for each, and one
valid signature passes a check. The duration of a check reveals nothing that the sender does not know:
neither where a signature is wrong nor which signer it matches.
"""

from typing import final

@final
class Signer:
    """A secret prepared for signing: both pads of the key are already hashed.

    It does not contain the secret, cannot be pickled, and its repr shows nothing. Source: RFC 2104.
    """

    def __init__(self, secret: bytes) -> None:
        """Raises: ValueError for an empty secret."""

    def digest(self, message: bytes) -> bytes:
        """Return the HMAC-SHA256 of a message: 32 bytes."""

def choose_hashing(direct: bool) -> bool:
    """Call OpenSSL's functions directly (the default) or through `hashlib`; return which is used.

    Direct calls are not available if the functions cannot be found. For tests and benchmarks that compare
    both.
    """

def verify_request(
    signers: tuple[Signer, ...],
    header: bytes,
    method: str,
    target: bytes,
    body: bytes,
    now_s: int,
    idempotency_key: bytes = b"",
    covers_key: bool = False,
) -> int | None:
    """Return the timestamp of a validly signed request, or None.

    One of the signers must have signed it within `limits.signature_tolerance_s` of now. Without signers no
    request is valid. With `covers_key`, only version 2 counts.
    """

def sign_request(
    signers: tuple[Signer, ...],
    method: str,
    target: bytes,
    body: bytes,
    timestamp: int,
    idempotency_key: bytes = b"",
) -> str:
    """Return the Fastpay-Signature of a request, in version 2.

    Raises: ValueError without a signer, or for a timestamp that is not a number of seconds since 1970.
    """

def sign_webhook(signers: tuple[Signer, ...], body: bytes, timestamp: int) -> str:
    """Return the Stripe-Signature of a webhook, over `t.body`, with the whole text of the secret as key.

    Raises: ValueError without a signer, or for a timestamp that is not a number of seconds since 1970.
    Source: the dialect's documentation.
    """

def verify_webhook(signers: tuple[Signer, ...], header: bytes, body: bytes, now_s: int) -> int | None:
    """Return the timestamp of a webhook that one of the signers signed, as `verify_request` does."""

def sign_standard_webhook(signers: tuple[Signer, ...], identifier: str, body: bytes, timestamp: int) -> str:
    """Return the webhook-signature of Standard Webhooks.

    It is `v1,` and the base64 of the digest of `id.timestamp.body`, once for each signer with spaces
    between. The key is the part of the secret after `whsec_`, decoded from base64. Raises: ValueError for a
    timestamp that is not a number of seconds since 1970. Source: the Standard Webhooks specification, 1.0.
    """
