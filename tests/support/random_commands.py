"""Commands of every kind at random, which refer to what a tenant has."""

import itertools
import random
from collections.abc import Callable, Sequence
from typing import Literal

import msgspec

from fastpay.domain.application_fees import RefundApplicationFee, UpdateFeeRefund
from fastpay.domain.captures import CancelPaymentIntent, CapturePaymentIntent, IncrementAuthorization
from fastpay.domain.cash_balances import (
    ApplyCashBalance,
    CreateFundingInstructions,
    FundCashBalance,
    UpdateCashBalance,
)
from fastpay.domain.cash_returns import ReturnCash
from fastpay.domain.charging import Terms
from fastpay.domain.connected_accounts import CreateConnectedAccount
from fastpay.domain.customers import CreateCustomer, DeleteCustomer, UpdateCustomer
from fastpay.domain.debits import SettleDebit
from fastpay.domain.destinations import Split
from fastpay.domain.dispute_responses import CloseDispute, UpdateDispute
from fastpay.domain.disputes import CreateDispute
from fastpay.domain.identifiers import Scope
from fastpay.domain.payment_intents import ConfirmPaymentIntent, CreatePaymentIntent, UpdatePaymentIntent
from fastpay.domain.payment_methods import AttachPaymentMethod, CreatePaymentMethod, DetachPaymentMethod
from fastpay.domain.payouts import AdvancePayout, CancelPayout, CreatePayout, ReversePayout
from fastpay.domain.plan import Command
from fastpay.domain.refunds import CancelRefund, CreateRefund, ExpireRefund, SettleRefund
from fastpay.domain.transfers import CreateTransfer, ReverseTransfer
from fastpay.domain.webhook_endpoints import (
    CreateEndpoint,
    DeleteEndpoint,
    EnableEndpoint,
    PingEndpoint,
    ReplayEvents,
    ReportEndpoint,
    RotateSecret,
    UpdateEndpoint,
)
from fastpay.engine.ports import Submission
from tests.support.memory import (
    OTHER_TENANT,
    TENANT,
    State,
    submission,
)
from tests.support.world import ACCEPTED, BY_CASH, TRANSFERABLE, account, card

CURRENCIES = ("usd", "eur")
CARDS = (
    *("visa", "bypassPending", "chargeDeclined", "authenticationRequired"),
    *("createDispute", "createDisputeInquiry", "createMultipleDisputes"),
    *("refundFail", "pendingRefund", "refundRequiresAction"),
)
EVIDENCE = ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence", "Something else.")
FLEXIBLE: dict[str, object] = {
    "card": dict.fromkeys(("request_multicapture", "request_incremental_authorization"), "if_available")
}


class Known:
    """What exists for a tenant before a round, for its commands to refer to."""

    def __init__(self, state: State, scope: Scope, chance: random.Random) -> None:
        self._chance = chance
        self._identifiers = sorted({written.object.id for owner, written in state.versions if owner == scope})

    def one(self, prefix: str) -> str:
        """Return an identifier of this kind, now and then one that is nobody's."""
        own = [identifier for identifier in self._identifiers if identifier.startswith(f"{prefix}_")]
        if not own or self._chance.random() < 0.05:
            return f"{prefix}_{'0' * 32}"
        # The youngest again and again, so that commands of a batch meet on the same objects.
        return self._chance.choice(own[-3:])


def make_command(known: Known, chance: random.Random) -> Command:
    """Return a command of any kind."""
    intent, method, customer = known.one("pi"), known.one("pm"), known.one("cus")
    amount, currency = chance.randint(1, 2000), chance.choice(CURRENCIES)
    manual = {"capture_method": chance.choice(("manual", "automatic"))}
    later = manual | {"setup_future_usage": "off_session"}
    held = {"capture_method": "manual"}
    default = {"default_payment_method": method}
    bank = {"destination": chance.choice((None, "ba_noAccount"))}
    create = CreatePaymentIntent(amount=amount, currency=currency, secret="s", fields=manual)
    makers: Sequence[Callable[[], Command]] = (
        lambda: create,
        lambda: msgspec.structs.replace(create, payment_method=card(chance.choice(CARDS)), confirm=True),
        lambda: msgspec.structs.replace(
            create, payment_method=method, customer=customer, confirm=True, fields=later
        ),
        lambda: ConfirmPaymentIntent(id=intent),
        lambda: ConfirmPaymentIntent(id=intent, payment_method=card(chance.choice(CARDS))),
        lambda: ConfirmPaymentIntent(id=intent, payment_method=method, terms=Terms(off_session=True)),
        lambda: UpdatePaymentIntent(id=intent, fields={"currency": currency, "amount": amount}),
        lambda: UpdatePaymentIntent(id=intent, fields={"customer": customer}),
        lambda: UpdatePaymentIntent(id=intent, payment_method=method),
        lambda: msgspec.structs.replace(
            create, payment_method=card("visa"), confirm=True, fields=held, extras=FLEXIBLE
        ),
        lambda: CapturePaymentIntent(id=intent, amount=chance.choice((None, amount))),
        lambda: CapturePaymentIntent(id=intent, amount=amount // 8 + 1, is_final=False),
        lambda: IncrementAuthorization(id=intent, amount=amount * 2),
        lambda: msgspec.structs.replace(
            create,
            currency="eur",
            payment_method=account(chance.choice(("success", "failure"))),
            confirm=True,
            terms=ACCEPTED,
        ),
        lambda: SettleDebit(id=intent, delay_s=0),
        lambda: CancelPaymentIntent(id=intent),
        lambda: CreateRefund(payment_intent=intent, amount=chance.choice((None, amount))),
        lambda: CreateRefund(charge=known.one("ch"), amount=chance.choice((None, amount))),
        lambda: CreatePayout(amount=amount, currency=currency, step_s=0, fields=bank),
        lambda: AdvancePayout(id=known.one("po")),
        lambda: CancelPayout(id=known.one("po")),
        lambda: ReversePayout(id=known.one("po"), step_s=0),
        CreateConnectedAccount,
        lambda: CreateTransfer(amount=amount, currency=currency, destination=known.one("acct")),
        lambda: CreateTransfer(
            currency=currency, destination=known.one("acct"), source_transaction=known.one("ch")
        ),
        lambda: ReverseTransfer(
            id=known.one("tr"),
            amount=chance.choice((None, amount)),
            refund_application_fee=chance.random() < 0.3,
        ),
        *connected_makers(known, chance, create),
        *later_makers(known, chance),
        *cash_makers(known, chance),
        *endpoint_makers(known, chance),
        lambda: CreateCustomer(fields={}),
        lambda: UpdateCustomer(id=customer, fields={}, invoice_settings=default),
        lambda: DeleteCustomer(id=customer),
        lambda: CreatePaymentMethod(card=card(chance.choice(CARDS))),
        lambda: AttachPaymentMethod(payment_method=method, customer=customer),
        lambda: DetachPaymentMethod(id=method),
    )
    return chance.choice(makers)()


def connected_makers(
    known: Known, chance: random.Random, create: CreatePaymentIntent
) -> Sequence[Callable[[], Command]]:
    """Return what makes payments that go on to a connected account, and commands on what comes of them."""
    amount = chance.randint(1, 2000)
    split: dict[str, object] = {
        "destination": known.one("acct"),
        chance.choice(("application_fee_amount", "transfer_amount")): amount // 2,
    }
    sell = msgspec.structs.replace(
        create, amount=amount, payment_method=card(chance.choice(CARDS)), confirm=True, extras=split
    )
    several = msgspec.structs.replace(
        sell, fields={"capture_method": "manual"}, extras=split | FLEXIBLE, payment_method=card("visa")
    )
    part = Split(application_fee_amount=chance.choice((None, amount // 8)))
    return (
        lambda: sell,
        lambda: sell,
        lambda: msgspec.structs.replace(
            sell, currency="eur", payment_method=account("success"), terms=ACCEPTED
        ),
        lambda: several,
        lambda: CapturePaymentIntent(
            id=known.one("pi"), amount=amount // 4 + 1, is_final=chance.random() < 0.5, split=part
        ),
        lambda: CreateRefund(
            charge=known.one("ch"),
            amount=chance.choice((None, amount)),
            reverse_transfer=True,
            refund_application_fee=chance.random() < 0.5,
        ),
        lambda: RefundApplicationFee(id=known.one("fee"), amount=chance.choice((None, amount // 4 + 1))),
        lambda: UpdateFeeRefund(fee=known.one("fee"), id=known.one("fr"), metadata={"a": "1"}),
    )


def later_makers(known: Known, chance: random.Random) -> Sequence[Callable[[], Command]]:
    """Return what makes commands on refunds and disputes that exist."""
    amount = chance.randint(1, 2000)
    return (
        lambda: SettleRefund(id=known.one("re")),
        lambda: CancelRefund(id=known.one("re")),
        lambda: ExpireRefund(id=known.one("re")),
        lambda: CreateDispute(
            charge=known.one("ch"),
            amount=chance.choice((None, amount)),
            case_type=chance.choice(("chargeback", "inquiry")),
        ),
        lambda: UpdateDispute(
            id=known.one("du"),
            evidence={"uncategorized_text": chance.choice(EVIDENCE)},
            submit=chance.choice((None, False)),
        ),
        lambda: CloseDispute(id=known.one("du")),
    )


def cash_makers(known: Known, chance: random.Random) -> Sequence[Callable[[], Command]]:
    """Return what makes commands on customers' cash, and on payments that wait for it."""
    customer, intent = known.one("cus"), known.one("pi")
    amount, currency = chance.randint(1, 2000), chance.choice(CURRENCIES)
    split: dict[str, object] = {"destination": known.one("acct"), "application_fee_amount": amount // 2}
    extras = TRANSFERABLE | chance.choice(({}, split))
    return (
        lambda: FundCashBalance(customer=customer, amount=amount, currency=currency),
        lambda: CreatePaymentIntent(
            amount=amount,
            currency=currency,
            secret="s",
            customer=customer,
            payment_method=BY_CASH,
            confirm=True,
            extras=extras,
        ),
        lambda: ConfirmPaymentIntent(id=intent, payment_method=BY_CASH, extras=TRANSFERABLE),
        lambda: ReturnCash(
            customer=customer,
            amount=amount // 4 + 1,
            currency=currency,
            instructions_email=chance.choice((None, "ada@example.com")),
        ),
        lambda: ApplyCashBalance(id=intent, amount=chance.choice((None, amount))),
        lambda: UpdateCashBalance(
            customer=customer, reconciliation_mode=chance.choice((None, "manual", "automatic"))
        ),
        lambda: CreateFundingInstructions(
            customer=customer, bank_transfer="us_bank_transfer", currency="usd"
        ),
    )


def endpoint_makers(known: Known, chance: random.Random) -> Sequence[Callable[[], Command]]:
    """Return what makes commands on webhook endpoints."""
    endpoint, order = known.one("we"), chance.choice(("parallel", "object", "strict"))
    since, fields = chance.choice((None, 0, 5)), {"url": "https://a.example/", "enabled_events": ("*",)}
    findings: tuple[Literal["failing", "recovered", "disabled"], ...] = ("failing", "recovered", "disabled")
    finding = chance.choice(findings)
    return (
        lambda: CreateEndpoint(salt="s", fields=fields, start_after_sequence=since),
        lambda: UpdateEndpoint(
            id=endpoint, fields={"order": order}, disabled=chance.choice((None, True, False))
        ),
        lambda: RotateSecret(id=endpoint, salt="t", overlap_s=chance.choice((0, 60))),
        lambda: EnableEndpoint(id=endpoint),
        lambda: PingEndpoint(id=endpoint),
        lambda: ReplayEvents(id=endpoint, from_sequence=1, to_sequence=since or None),
        lambda: ReportEndpoint(id=endpoint, finding=finding, failing_since=1, reason="failing"),
        lambda: DeleteEndpoint(id=endpoint),
    )


def make_round(state: State, chance: random.Random, numbers: "itertools.count[int]") -> list[Submission]:
    """Return submissions that refer to nothing younger than this round."""
    made = []
    for _ in range(chance.randint(1, 12)):
        scope = chance.choice((TENANT, TENANT, OTHER_TENANT))
        command = make_command(Known(state, scope, chance), chance)
        key = chance.choice((None, None, f"key {chance.randint(1, 40)}"))
        fingerprint = chance.choice((b"one", b"one", b"one", b"other"))
        number = next(numbers)
        made.append(submission(command, scope=scope, key=key, fingerprint=fingerprint, number=number))
    return made
