"""One tenant's books in memory: commands run one at a time, each seeing only what it says it needs."""

from typing import Any, TypeVar

import msgspec

from fastpay import limits
from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain import cards, ledger
from fastpay.domain.bank_accounts import SepaDebit
from fastpay.domain.cash_objects import CASH
from fastpay.domain.charging import Terms
from fastpay.domain.identifiers import Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.mandates import MandateData
from fastpay.domain.objects import (
    BillingDetails,
    Charge,
    Customer,
    PaymentIntent,
    PaymentMethod,
    Refund,
    StoredObject,
)
from fastpay.domain.options import CashOptions
from fastpay.domain.payment_intents import CreatePaymentIntent
from fastpay.domain.payment_methods import CreatePaymentMethod, NewCard
from fastpay.domain.plan import Book, Command, Draft, ErrorRecord, Event, Versioned, Workspace, record
from fastpay.domain.rules import Rules
from fastpay.domain.setup_objects import CustomerAcceptance
from fastpay.errors import FastpayError
from tests.support.books import find_faults, tables_in_memory
from tests.support.books_of_payouts import Tables

Kind = TypeVar("Kind")
SCOPE = Scope("0" * 31 + "1", False)
START_S = 1_700_000_000


class World:
    """Runs commands as a writer of batches of one would, and keeps all that came of them."""

    def __init__(
        self,
        *,
        scope: Scope = SCOPE,
        fee_basis_points: int = 290,
        fee_fixed: int = 30,
        refunds_may_overdraw: bool = True,
        **rules: Any,
    ) -> None:
        self.book = Book(scope, 0, Rules(fee_basis_points, fee_fixed, refunds_may_overdraw, **rules))
        self.moment_s = START_S
        self.objects: dict[str, Versioned] = {}
        self.accounts: dict[str, Account] = {}
        self.versions: list[Versioned] = []
        self.transfers: list[Transfer] = []
        self.events: list[Event] = []
        self._commands = 0

    def run(self, command: Command) -> Draft:
        """Run the command and keep what it decides. Raises: FastpayError, with nothing kept."""
        workspace = self.load(command)
        self._commands += 1
        head = self.moment_s * 1000 << 16 | 7 << 12 | self._commands & 0xFFF
        draft = Draft(
            workspace,
            moment_s=self.moment_s,
            identifiers=IdentifierSequence(head, self._commands.to_bytes(8, "big")),
        )
        draft.finish(command.execute(workspace, draft))
        self.objects |= {versioned.object.id: versioned for versioned in draft.versions}
        self.accounts |= draft.accounts
        self.versions += draft.versions
        self.transfers += draft.transfers
        self.events += draft.events
        self.book = msgspec.structs.replace(self.book, sequence=self.book.sequence + len(draft.events))
        return draft

    def tables(self) -> Tables:
        """Return the books as tables."""
        return tables_in_memory(
            self.book.scope,
            accounts=self.accounts.values(),
            transfers=self.transfers,
            events=self.events,
            versions=self.versions,
            sequence=self.book.sequence,
        )

    def check(self) -> None:
        """Find nothing wrong in the books."""
        assert find_faults(self.tables()) == []

    def load(self, command: Command) -> Workspace:
        """Return a workspace with what the command needs and nothing else."""
        workspace = Workspace(self.book)
        for _ in range(limits.prefetch_rounds_max):
            wanted = set(command.needs(workspace)) - workspace.asked
            if not wanted:
                return workspace
            workspace.asked |= wanted
            for identifier in wanted:
                if identifier in self.objects:
                    workspace.objects[identifier] = self.objects[identifier]
                if identifier in self.accounts:
                    workspace.accounts[identifier] = self.accounts[identifier]
        assert not set(command.needs(workspace)) - workspace.asked
        return workspace

    def do(self, command: Command) -> StoredObject:
        """Run a command that must succeed; return the object that it answers with."""
        plan = self.run(command)
        assert plan.answer.error is None
        assert plan.answer.object_id is not None
        return self.objects[plan.answer.object_id].object

    def refused(self, command: Command) -> ErrorRecord:
        """Run a command that must be refused and change nothing; return the refusal."""
        before = (dict(self.objects), dict(self.accounts), len(self.transfers), self.book)
        try:
            error = self.run(command).answer.error
        except FastpayError as refusal:
            error = record(refusal)
        assert error is not None
        assert (dict(self.objects), dict(self.accounts), len(self.transfers), self.book) == before
        return error

    def balance(self, code: str, currency: str = "usd") -> int:
        """Return the posted balance of an account, 0 where it was never opened."""
        account = self.account(code, currency)
        return account.balance

    def account(self, code: str, currency: str = "usd") -> Account:
        """Return an account as it stands."""
        identifier = ledger.account_id(self.book.scope, currency, code)
        return self.accounts.get(identifier) or ledger.open_account(self.book.scope, currency, code)

    def intent(self, identifier: str) -> PaymentIntent:
        """Return a payment intent as it stands."""
        return of_type(self.objects[identifier].object, PaymentIntent)

    def charge(self, identifier: str | None) -> Charge:
        """Return a charge as it stands."""
        assert identifier is not None
        return of_type(self.objects[identifier].object, Charge)

    def charge_of(self, intent: PaymentIntent) -> Charge:
        """Return the latest charge of a payment intent."""
        return self.charge(self.intent(intent.id).latest_charge)

    def method(self, identifier: str | None) -> PaymentMethod:
        """Return a payment method as it stands."""
        assert identifier is not None
        return of_type(self.objects[identifier].object, PaymentMethod)

    def customer(self, identifier: str) -> Customer:
        """Return a customer as it stands."""
        return of_type(self.objects[identifier].object, Customer)

    def refund(self, identifier: str | None) -> Refund:
        """Return a refund as it stands."""
        assert identifier is not None
        return of_type(self.objects[identifier].object, Refund)

    def save_card(self, name: str = "visa") -> PaymentMethod:
        """Keep a magic card as a payment method."""
        return of_type(self.do(CreatePaymentMethod(card=card(name))), PaymentMethod)

    def pay(
        self, amount: int = 1000, *, currency: str = "usd", name: str = "visa", **fields: object
    ) -> PaymentIntent:
        """Create and confirm a payment with a magic card that must not decline."""
        command = CreatePaymentIntent(
            amount=amount,
            currency=currency,
            secret="s" * 24,
            fields=fields,
            payment_method=card(name),
            confirm=True,
        )
        return of_type(self.do(command), PaymentIntent)

    def hold(self, amount: int = 1000, *, currency: str = "usd", name: str = "visa") -> PaymentIntent:
        """Authorize a payment that is to be captured by hand."""
        return self.pay(amount, currency=currency, name=name, capture_method="manual")


def card(name: str = "visa") -> NewCard:
    """Return a magic card, as a request would bring it."""
    number = cards.MAGIC_PAYMENT_METHODS[f"pm_card_{name}"]
    return NewCard(
        card=cards.test_card(number, exp_month=12, exp_year=2034, cvc_given=True, fingerprint_key=b"k" * 32)
    )


def account(behaviour: str = "success") -> NewCard:
    """Return a bank account, as a request would bring it."""
    return NewCard(
        type="sepa_debit",
        sepa_debit=SepaDebit(
            bank_code="19043", country="AT", fingerprint="f" * 16, last4="3201", behaviour=behaviour
        ),
        billing_details=BillingDetails(name="Ada", email="ada@example.com"),
    )


# What a customer's cash balance pays with, as a request would bring it.
BY_CASH = NewCard(type=CASH)
# Options of a payment that may wait for a bank transfer.
TRANSFERABLE: dict[str, object] = {"cash": CashOptions(funding_type="bank_transfer")}


def of_type(stored: object, kind: type[Kind]) -> Kind:
    """Return the object, which must be of this kind."""
    assert isinstance(stored, kind)
    return stored


# Terms of a payment with a new mandate.
ACCEPTED = Terms(mandate_data=MandateData(acceptance=CustomerAcceptance(type="offline")))

# A payment of 10.00 that succeeds at once, and the same held for a capture.
PAY = CreatePaymentIntent(amount=1000, currency="usd", secret="s", payment_method=card(), confirm=True)
HOLD = msgspec.structs.replace(PAY, fields={"capture_method": "manual"})
