"""What fastpay stores of orders to processors, and what a command is told of their outcomes.

The rules for snapshots in `objects.py` hold here too.
"""

from typing import ClassVar, Literal, get_args

import msgspec

from fastpay.domain.objects import StoredObject

# What is known of an attempt. `open` is all that may still move money without us knowing.
# What was approved too late, or by mistake, and given back is `compensated`.
AttemptStatus = Literal[
    "open", "approved", "declined", "refused", "not_sent", "not_found", "review", "compensated"
]


# What a person says became of an attempt: it took the money, it did not, or it did and that was given back.
Resolution = Literal["approved", "declined", "not_found", "compensated"]
RESOLUTIONS: tuple[Resolution, ...] = get_args(Resolution)
# What a processor is asked to do. Captures, voids and refunds follow an authorization. A setup has it keep a
# card, and moves nothing.
Operation = Literal["authorize", "capture", "void", "refund", "setup"]
# ISO 4217 has a code for what has no currency.
NO_CURRENCY = "xxx"


class AttemptTerms(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """How an attempt of a request begins. `reference` is its identifier.

    The first answer to the request's idempotency key may change for `wait_ms`, and is final after that. If
    the outcome is not known by then, it is first inquired for `inquiry_s` after the attempt has begun.
    """

    reference: str
    wait_ms: int
    inquiry_s: int


class Route(AttemptTerms, frozen=True, gc=False, kw_only=True):
    """Where the payment of a request goes: to a processor, by an attempt.

    `is_saved` means that the processor keeps the card. A cardholder who `is_absent` cannot authenticate.
    """

    processor: str
    is_saved: bool = False
    is_absent: bool = False


class Result(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a processor says of an attempt: the outcome of its port, as far as the domain needs it.

    `not_found` means that the processor knows of no such order, and never will. `keeps_card` means that it
    has named a card which it keeps. `reason` is for operators.
    """

    status: Literal["approved", "declined", "refused", "not_sent", "not_found"]
    processor_id: str | None = None
    amount: int | None = None
    currency: str | None = None
    is_captured: bool = False
    code: str | None = None
    decline_code: str | None = None
    message: str | None = None
    reason: str = ""
    keeps_card: bool = False


class Review(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """Why a person looks at an attempt, and what they decided.

    An attempt that had ended did so as `ended_as`, and `proposed` says what would agree with the processor
    then: to accept the money, so that the payment succeeds late, or to give it back there.
    """

    reason: str
    ended_as: AttemptStatus | None = None
    proposed: Literal["accept", "refund"] | None = None
    resolution: Resolution | None = None
    note: str | None = None


class Attempt(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """One order to one processor. Its identifier is the reference that the processor gets.

    While the outcome is unknown, `held` is in doubt: `hold` reserves it in the account `in_doubt`. An open
    attempt is looked at again at `due_at`; `inquiries` have been made so far. `reason` is for operators.

    A capture, a void or a refund follows an authorization: `authorization` is the reference of that one, and
    `authorization_id` what the processor calls the payment. `follow_up` of an authorization is its latest
    capture or void, of which at most one is open.

    A setup is of `setup_intent` and of no payment. Its amount is 0, so it holds nothing. `is_saved` and
    `is_absent` are those of the route: with them an authorization can be sent again.
    """

    prefix: ClassVar[str] = "att"
    noun: ClassVar[str] = "attempt"

    operation: Operation
    payment_intent: str | None
    payment_method: str
    amount: int
    currency: str
    processor: str
    status: AttemptStatus = "open"
    captures: bool = True
    hold: str | None = None
    held: int = 0
    due_at: int | None = None
    inquiries: int = 0
    processor_id: str | None = None
    code: str | None = None
    decline_code: str | None = None
    reason: str = ""
    review: Review | None = None
    authorization: str | None = None
    authorization_id: str | None = None
    follow_up: str | None = None
    refund: str | None = None
    cancellation_reason: str | None = None
    setup_intent: str | None = None
    is_saved: bool = False
    is_absent: bool = False

    @property
    def payment(self) -> str:
        """The payment intent. A setup has none."""
        assert self.payment_intent is not None
        return self.payment_intent
