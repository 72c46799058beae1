"""The payment that all micro-benchmarks look at: a card that succeeds, with a description and metadata."""

from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain import cards
from fastpay.domain.identifiers import Scope
from fastpay.domain.objects import PaymentIntent
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.payment_methods import NewCard
from fastpay.domain.plan import Answer, Book, Draft, Workspace
from fastpay.domain.rules import Rules
from fastpay.engine.ports import Changes, IdempotencyRow, Submission

SCOPE = Scope("0190a5f0b7e97cc08d0a8b8e5b1f2a3c", False)
# The tenants of benchmarks pay fees, so that a payment writes all rows that it can.
FEES = Rules(290, 30)
MOMENT_MS = 1_790_000_000_000
BODY = (
    b"amount=2000&currency=usd&confirm=true&payment_method=pm_card_visa"
    b"&description=Order+12&metadata%5Border%5D=12"
)


def new_workspace(scope: Scope = SCOPE) -> Workspace:
    """Return the workspace of a tenant that never had a payment, with all looked for that one needs."""
    workspace = Workspace(Book(scope, 0, FEES))
    workspace.asked.update(new_command().needs(workspace))
    return workspace


def used_workspace(scope: Scope = SCOPE) -> Workspace:
    """Return the workspace of a tenant that had a payment before: its accounts are open."""
    workspace = new_workspace(scope)
    workspace.merge(decide(workspace, new_command()))
    return workspace


def new_command() -> CreatePaymentIntent:
    """Return a payment to create and confirm at once."""
    card = cards.test_card(
        "4242424242424242", exp_month=12, exp_year=2031, cvc_given=True, fingerprint_key=b"k" * 32
    )
    return CreatePaymentIntent(
        amount=2000,
        currency="usd",
        secret="0" * 32,
        fields={"description": "Order 12"},
        metadata={"order": "12"},
        payment_method=NewCard(card=card),
        confirm=True,
    )


def decide(workspace: Workspace, command: CreatePaymentIntent, number: int = 0) -> Draft:
    """Run a command on the workspace, and do not merge it. `number` tells the identifiers apart."""
    identifiers = IdentifierSequence(MOMENT_MS << 16 | 0x7000 | number, b"\x01" * 8)
    draft = Draft(workspace, MOMENT_MS // 1000, identifiers)
    return draft.finish(command.execute(workspace, draft))


def new_submission(number: int, scope: Scope = SCOPE, moment_ms: int = MOMENT_MS) -> Submission:
    """Return a payment on its way to the writer; each number has identifiers and a key of its own."""
    return Submission(
        scope=scope,
        command=new_command(),
        request_id="req_000000000000000000000000",
        moment_ms=moment_ms,
        head=moment_ms + (number >> 12) << 16 | 0x7000 | number & 0xFFF,
        tail=number.to_bytes(8, "big"),
        idempotency_key=f"0190a5f0-b7e9-7cc0-8d0a-{number:012d}",
        fingerprint=b"f" * 32,
    )


def new_intent() -> PaymentIntent:
    """Return a payment that succeeded."""
    decided = decide(new_workspace(), new_command())
    return next(found.object for found in decided.versions if isinstance(found.object, PaymentIntent))


def new_changes(count: int, scope: Scope = SCOPE) -> Changes:
    """Return the net effect of a batch of payments."""
    workspace, command, changes = new_workspace(scope), new_command(), Changes()
    for number in range(count):
        draft = decide(workspace, command, number)
        workspace.merge(draft)
        changes.add(new_submission(number, scope), draft)
        changes.idempotency.append(_row(scope, draft.answer, number))
    return changes


def _row(scope: Scope, answer: Answer, number: int) -> IdempotencyRow:
    return IdempotencyRow(
        digest=number.to_bytes(16, "big"),
        scope=scope,
        idempotency_key=f"0190a5f0-b7e9-7cc0-8d0a-{number:012d}",
        fingerprint=b"f" * 32,
        answer=answer,
        request_id="req_000000000000000000000000",
        moment_ms=MOMENT_MS,
    )
