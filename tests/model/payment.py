"""A payment as it stands in the model, and what came of it."""

from dataclasses import dataclass, field

from tests.model.steps import Method

CHARGED_BACK = frozenset(("needs_response", "under_review", "lost"))


@dataclass
class Dispute:
    """What a cardholder says is not theirs."""

    amount: int
    identifier: str = ""
    status: str = "needs_response"


@dataclass
class Passed:
    """What went on to a connected account by one transfer, and the fee that was taken of it."""

    seller: int
    amount: int
    fee: int = 0
    reversed: int = 0
    fee_refunded: int = 0
    # By a capture, and not by a request of its own.
    by_capture: bool = True
    identifier: str = ""
    fee_id: str = ""

    @property
    def left(self) -> int:
        """What the connected account has of it."""
        return self.amount - self.fee - self.reversed + self.fee_refunded


@dataclass
class Payment:
    """A payment."""

    amount: int
    currency: str
    manual: bool
    flexible: bool = False
    payer: int | None = None
    seller: int | None = None
    fee: int | None = None
    part: int | None = None
    may_wait: bool = False
    identifier: str = ""
    status: str = "requires_payment_method"
    method: Method | None = None
    # What a bank transfer has yet to bring, None if the payment waits for none.
    awaited: int | None = None
    # none, pending, failed, held, taken or released: what became of the last attempt to take money.
    charge: str = "none"
    captured: int = 0
    fees: int = 0
    increments: int = 0
    refunded: int = 0
    charge_id: str = ""
    disputes: list[Dispute] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    # The last attempt was by cash: nobody disputes it.
    undisputable: bool = False
    # Captured in parts: each becomes available by itself, so refunds debit what is available.
    in_parts: bool = False

    @property
    def capturable(self) -> int:
        """What is still authorized."""
        return self.amount - self.captured if self.status == "requires_capture" else 0

    @property
    def most_capturable(self) -> int:
        """What the next capture can take, if it is the final one."""
        return self.amount * 115 // 100 if self.flexible and not self.captured else self.capturable

    @property
    def applied(self) -> int:
        """What customers' cash has paid of it, and is not captured yet."""
        return 0 if self.awaited is None else self.amount - self.awaited

    @property
    def side(self) -> str:
        """Where a capture puts its money."""
        return "available" if self.method == "bypassPending" else "pending"

    @property
    def place(self) -> tuple[str, str]:
        """Where refunds take their money from."""
        return self.currency, "available" if self.in_parts else self.side

    @property
    def awaits_response(self) -> bool:
        """Whether the last dispute is neither decided nor under review."""
        return bool(self.disputes) and self.disputes[-1].status == "needs_response"

    @property
    def is_charged_back(self) -> bool:
        """Whether a dispute has taken money of it."""
        return any(one.status in CHARGED_BACK for one in self.disputes)

    def fits(self, amount: int) -> bool:
        """Tell whether the split is within an amount."""
        return max(self.fee or 0, self.part or 0) <= amount

    def last_fee(self) -> Passed | None:
        """Return what the last fee was taken of."""
        return next((one for one in reversed(self.passed) if one.fee), None)


@dataclass
class Payout:
    """Money that left for the bank."""

    amount: int
    currency: str
    succeeds: bool
    is_reversal: bool = False
    identifier: str = ""
    is_reversed: bool = False
    is_canceled: bool = False
    # Its end is still to come, and brings the money back.
    comes_back: bool = False

    def __post_init__(self) -> None:
        self.comes_back = self.is_reversal or not self.succeeds
