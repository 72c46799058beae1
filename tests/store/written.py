"""What batches write into a filled database: everything of payments, and everything of clients' ledger."""

from collections.abc import Sequence
from typing import Any

import msgspec

from benchmarks import samples
from benchmarks.samples import MOMENT_MS
from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain.application_fees import ApplicationFee, FeeRefund
from fastpay.domain.cash_objects import CashTransaction
from fastpay.domain.connected_accounts import ConnectedAccount
from fastpay.domain.dispute_objects import Dispute
from fastpay.domain.funds import Balance
from fastpay.domain.identifiers import Scope, identifier_at
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_objects import LedgerBatch, LedgerTransfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.objects import Charge, Customer, PaymentIntent, PaymentMethod, Refund, StoredObject
from fastpay.domain.payouts import Payout
from fastpay.domain.plan import Answer, Book, Draft, Event, Versioned, Workspace
from fastpay.domain.processor_objects import Attempt
from fastpay.domain.settlements import Settlement
from fastpay.domain.setup_objects import SetupAttempt, SetupIntent
from fastpay.domain.transfers import AccountTransfer, TransferReversal
from fastpay.domain.webhook_endpoints import WebhookEndpoint, WebhookReplay
from fastpay.engine.ports import Changes, IdempotencyRow
from tests.store.filling import BUSY, CUSTOMER, TENANT, digits_of
from tests.store.test_batches import CARD

SCOPE = Scope(TENANT, False)
# Behind everything that is there.
_BEHIND = 1 << 31
_SEQUENCE = 1_000_000_000
_ACCOUNTS = tuple("lacc_" + digits for digits in BUSY)


def payments(count: int) -> Changes:
    """Return the effect of a batch that makes so many objects of each kind and changes as many.

    Half of its transfers end holds.
    """
    versions = [
        written
        for number in range(count)
        for first, version in ((_BEHIND + number, 1), (2 * number + 1, 2))
        for written in _objects(first, version)
    ]
    transfers = [
        Transfer(
            "tr_" + digits_of("transfer", _BEHIND + number),
            "capture",
            "post" if number % 2 else "posted",
            _ACCOUNTS[0],
            _ACCOUNTS[1],
            "usd",
            5,
            "ch_" + digits_of("charge", _BEHIND),
            "tr_" + digits_of("transfer", number) if number % 2 else None,
        )
        for number in range(2 * count)
    ]
    return _changes(versions, count, transfers=transfers)


def ledger(count: int) -> Changes:
    """Return the effect of a batch: so many transfers of one command, and as many that each end a hold."""
    rows = LedgerRows(
        sequence=_SEQUENCE,
        moment_ms=MOMENT_MS,
        accounts=list(_ACCOUNTS),
        currencies=["usd", "usd"],
        indexes=list(range(count)),
        phases=["posted"] * count,
        debits=[0] * count,
        credits=[1] * count,
        amounts=[5] * count,
        debits_posted=[5] * count,
        debits_pending=[5] * count,
        credits_posted=[5] * count,
        credits_pending=[5] * count,
    )
    made = LedgerBatch(id="lbat_" + digits_of("nobody", _BEHIND), created=0, sequence=_SEQUENCE, count=count)
    posted = [
        LedgerTransfer(
            id=identifier_at("ltr", MOMENT_MS, _SEQUENCE + 1 + place, 0),
            created=0,
            sequence=_SEQUENCE + 1 + place,
            phase="post",
            debit_account="lacc_" + digits_of("account", 2 * place + 1),
            credit_account=_ACCOUNTS[0],
            currency="usd",
            amount=5,
            debits_posted=5,
            debits_pending=0,
            credits_posted=5,
            credits_pending=0,
            hold=identifier_at("ltr", 0, 2 * place + 1, 0),
        )
        for place in range(count)
    ]
    stored: list[StoredObject] = [made, *posted]
    versions = [Versioned(one, 1, _SEQUENCE) for one in stored]
    return _changes(versions, count, rows=rows)


def _connected(number: int) -> tuple[StoredObject, ...]:
    """Return a connected account with what it got and gave back."""
    account, transfer = (
        "acct_" + digits_of("connected_account", number), "tr_" + digits_of("account_transfer", number)
    )  # fmt: skip
    fee = "fee_" + digits_of("application_fee", number)
    money: dict[str, Any] = {"created": 1, "amount": 5, "currency": "usd"}
    return (
        ConnectedAccount(id=account, created=1),
        AccountTransfer(id=transfer, destination=account, **money),
        TransferReversal(id="trr_" + digits_of("transfer_reversal", number), transfer=transfer, **money),
        ApplicationFee(
            id=fee,
            account=account,
            application="ca_" + TENANT,
            charge="ch_" + digits_of("charge", number),
            **money,
        ),
        FeeRefund(id="fr_" + digits_of("fee_refund", number), fee=fee, **money),
    )


def _objects(number: int, version: int) -> list[Versioned]:
    """Return an object of each kind that has this number, and belongs to the others."""
    intent, charge = "pi_" + digits_of("payment_intent", number), "ch_" + digits_of("charge", number)
    customer, method = "cus_" + digits_of("customer", number), "pm_" + digits_of("payment_method", number)
    setup = "seti_" + digits_of("setup_intent", number)
    money: dict[str, Any] = {"created": 1, "amount": 5, "currency": "usd", "status": "succeeded"}
    stored: tuple[StoredObject, ...] = (
        Customer(id=customer, created=1, email="new@example.com"),
        PaymentMethod(id=method, created=1, card=CARD, customer="cus_" + CUSTOMER),
        PaymentIntent(id=intent, client_secret="s", amount_received=5, customer=customer, **money),
        Charge(
            id=charge,
            payment_intent=intent,
            payment_method=method,
            card=CARD,
            amount_captured=5,
            captured=True,
            customer=customer,
            **money,
        ),
        SetupIntent(
            id=setup,
            created=1,
            client_secret="s",
            status="succeeded",
            payment_method=method,
            customer=customer,
        ),
        SetupAttempt(
            id="setatt_" + digits_of("setup_attempt", number),
            created=1,
            card=CARD,
            payment_method=method,
            setup_intent=setup,
            status="succeeded",
        ),
        Balance(id="bal_" + digits_of("nobody", number), created=1),
        *_connected(number),
        *_webhooks(number),
        _funded(number, customer),
        Attempt(
            id="att_" + digits_of("attempt", number),
            created=1,
            operation="authorize",
            payment_intent=intent,
            payment_method=method,
            processor="acquirer",
            status="approved",
            amount=money["amount"],
            currency=money["currency"],
        ),
        _settlement(number),
        Payout(id="po_" + digits_of("payout", number), arrival_date=1, **{**money, "status": "paid"}),
        Refund(id="re_" + digits_of("refund", number), charge=charge, payment_intent=intent, **money),
        Dispute(
            id="du_" + digits_of("dispute", number),
            charge=charge,
            payment_intent=intent,
            reason="general",
            brand="visa",
            case_type="inquiry",
            due_by=1,
            changes_at=1 << 40,
            **money | {"status": "won"},
        ),
    )
    return [Versioned(one, version, _SEQUENCE) for one in stored]


def _webhooks(number: int) -> tuple[StoredObject, ...]:
    """Return an endpoint, and a replay to it."""
    endpoint = WebhookEndpoint(id="we_" + digits_of("webhook_endpoint", number), created=1)
    replay = WebhookReplay(
        id="wrp_" + digits_of("webhook_replay", number),
        created=1,
        webhook_endpoint=endpoint.id,
        from_sequence=1,
        to_sequence=2,
    )
    return endpoint, replay


def _settlement(number: int) -> Settlement:
    """Return a settlement of a processor."""
    return Settlement(
        id="stl_" + digits_of("settlement", number),
        created=1,
        processor="acquirer",
        currency="usd",
        file="0" * 64,
        status="open",
    )


def _funded(number: int, customer: str) -> CashTransaction:
    """Return a transaction of a customer's cash."""
    return CashTransaction(
        id="ccsbtxn_" + digits_of("cash_transaction", number),
        created=1,
        currency="usd",
        customer=customer,
        ending_balance=5,
        net_amount=5,
        type="funded",
    )


def _changes(
    versions: list[Versioned], count: int, transfers: Sequence[Transfer] = (), rows: LedgerRows | None = None
) -> Changes:
    """Return changes with an event for each version, first answers, and accounts.

    One is a client's, one of payments, and one of payments is new.
    """
    accounts = zip(
        (*_ACCOUNTS, "lacc_" + digits_of("account", _BEHIND)), ("wallet", "fees", "fees"), strict=True
    )
    draft = Draft(Workspace(Book(SCOPE, _SEQUENCE)), moment_s=0, identifiers=IdentifierSequence(0, b"\0" * 8))
    draft.answer = Answer(None, _SEQUENCE + len(versions))
    draft.versions, draft.rows = versions, rows
    draft.transfers.extend(transfers)
    draft.accounts |= {account: Account(account, code, "usd", "C", 5, 5) for account, code in accounts}
    draft.opened.append("lacc_" + digits_of("account", _BEHIND))
    draft.events = [
        Event("evt_" + digits_of("nobody", number), "made", _SEQUENCE + number, written.object.id, 1)
        for number, written in enumerate(versions)
    ]
    changes = Changes()
    changes.add(msgspec.structs.replace(samples.new_submission(0, SCOPE, MOMENT_MS), request_id="req"), draft)
    changes.idempotency += [
        IdempotencyRow(
            digest=(2**127 + number).to_bytes(16, "big"),
            scope=SCOPE,
            idempotency_key="k",
            fingerprint=b"f",
            answer=Answer(None, _SEQUENCE),
            request_id="req",
            moment_ms=MOMENT_MS,
        )
        for number in range(count)
    ]
    return changes
