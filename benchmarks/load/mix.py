"""What users ask for: reads, payments and refunds in given shares, of merchants some of which are popular.

Requests may be signed.
"""

import itertools
import random
import secrets
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from benchmarks.samples import BODY
from fastpay.signing import HEADER, RequestSigner

_FORM = "Content-Type: application/x-www-form-urlencoded\r\n"


class Shares(msgspec.Struct, frozen=True):
    """How much of the load is what; the rest are reads. `skew` is the exponent of Zipf's law: 0 is even."""

    payments: float = 0.15
    refunds: float = 0.05
    skew: float = 1.0


ONLY_READS = Shares(payments=0.0, refunds=0.0)


class Mix:
    """Makes requests, each payment and refund with an idempotency key that nobody ever used.

    `payments` maps API keys to identifiers of payments that exist; the first key is the most popular one.
    Refunds give back one minor unit of them, so that each can be refunded many times. `signing` maps API keys
    to their signing secrets: requests with such a key are signed when they are made.
    """

    def __init__(
        self,
        payments: Mapping[str, Sequence[str]],
        shares: Shares,
        *,
        seed: int,
        signing: Mapping[str, str] | None = None,
    ) -> None:
        self._random = random.Random(seed)
        self._shares = shares
        self._payments = payments
        self._keys = list(payments)
        weights = (1 / rank**shares.skew for rank in range(1, len(self._keys) + 1))
        self._weights = list(itertools.accumulate(weights))
        self._prefix = secrets.token_hex(6)
        self._numbers = itertools.count()
        self._signers = {key: RequestSigner(secret) for key, secret in (signing or {}).items()}

    def __iter__(self) -> Iterator[bytes]:
        """Yield requests without end."""
        while True:
            yield self.next()

    def next(self) -> bytes:
        """Return the bytes of a request."""
        (key,) = self._random.choices(self._keys, cum_weights=self._weights)
        chance = self._random.random()
        if chance < self._shares.payments:
            return self._post("/v1/payment_intents", key, BODY.decode())
        identifier = self._random.choice(self._payments[key])
        if chance < self._shares.payments + self._shares.refunds:
            return self._post("/v1/refunds", key, f"payment_intent={identifier}&amount=1")
        return self._request("GET", f"/v1/payment_intents/{identifier}", key)

    def _post(self, path: str, key: str, body: str) -> bytes:
        name = f"{self._prefix}-{next(self._numbers)}"
        return self._request("POST", path, key, body=body, idempotency_key=name)

    def _request(
        self, method: str, path: str, key: str, *, body: str = "", idempotency_key: str | None = None
    ) -> bytes:
        more = ""
        if idempotency_key is not None:
            more = f"{_FORM}Content-Length: {len(body)}\r\nIdempotency-Key: {idempotency_key}\r\n"
        signer = self._signers.get(key)
        if signer is not None:
            signature = signer.sign(method, path, body, idempotency_key=idempotency_key)
            more += f"{HEADER}: {signature}\r\n"
        head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n{more}\r\n"
        return (head + body).encode()
