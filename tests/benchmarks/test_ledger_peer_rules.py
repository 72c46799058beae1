"""The ledger's peer moves what we move, writes the rows that we write, and answers with our fields."""

import json
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import samples
from fastpay._native.identifiers import IdentifierSequence
from fastpay.api.answers import encode
from fastpay.api.app import RESOURCES
from fastpay.domain.identifiers import identifier_at, moment_of, position_of
from fastpay.domain.ledger import Account
from fastpay.domain.ledger_batches import run_steps
from fastpay.domain.ledger_transfers import CreateLedgerTransfer
from fastpay.domain.plan import Book, Draft, Versioned, Workspace
from fastpay.engine.ports import Changes
from fastpay.errors import FastpayError
from fastpay.store import ledger_columns
from tests.support.world import SCOPE, World

_NOT_INSTALLED = "the peers are not installed (make test does it)"
params = pytest.importorskip("benchmarks.peers.params", reason=_NOT_INSTALLED)
payment = pytest.importorskip("benchmarks.peers.payment", reason=_NOT_INSTALLED)
transfer = pytest.importorskip("benchmarks.peers.transfer", reason=_NOT_INSTALLED)

FORM = "application/x-www-form-urlencoded"
NAMES = [f"lacc_{number:032x}" for number in range(5)]
TENANT = payment.Tenant(UUID(SCOPE.tenant_id), SCOPE.livemode, 290, 30)


def world_of(accounts: list[Account]) -> World:
    """Return a world in which something happened before."""
    world = World()
    world.accounts = {account.id: account for account in accounts}
    world.book = msgspec.structs.replace(world.book, sequence=6)
    return world


def row_of(account: Account) -> dict[str, Any]:
    """Return an account as the peer reads it."""
    names = ("code", "currency", "normal_side", "debits_posted", "credits_posted", "debits_pending")
    return {name: getattr(account, name) for name in (*names, "credits_pending", "min_balance")}


def ask(debit: str, credit: str, amount: int, more: str = "") -> Any:
    """Return what the peer makes of a request."""
    body = f"debit_account={debit}&credit_account={credit}&amount={amount}{more}".encode()
    return params.parse(params.CreateTransfer, FORM, body)


def move(accounts: list[Account], asked: Any) -> Any:
    """Return the peer's transfer, on rows as the database has them."""
    return transfer.move(TENANT, asked, {UUID(account.id[5:]): row_of(account) for account in accounts})


ACCOUNTS = [
    Account(NAMES[0], "wallet", "usd", "C", debits_posted=70, credits_posted=100, debits_pending=7),
    Account(NAMES[1], "wallet", "usd", "C", credits_posted=5, credits_pending=9, min_balance=0),
]


def both() -> tuple[Any, Any]:
    """Return the same transfer made by the peer and by us."""
    theirs = move(ACCOUNTS, ask(NAMES[0], NAMES[1], 12, "&metadata[order]=7"))
    command = CreateLedgerTransfer(
        debit_account=NAMES[0], credit_account=NAMES[1], amount=12, metadata={"order": "7"}
    )
    return theirs, world_of(ACCOUNTS).do(command)


def test_the_answers_have_the_same_fields() -> None:
    made, stored = both()
    theirs, ours = json.loads(made.answer(7)), json.loads(encode(RESOURCES.render(stored, False)))
    assert list(theirs) == list(ours)
    assert theirs["id"] == identifier_at("ltr", moment_of(theirs["id"]), 7, 0)
    assert theirs["created"] == moment_of(theirs["id"]) // 1000
    for own in ("id", "created"):
        del theirs[own], ours[own]
    assert theirs == ours


def test_the_rows_are_the_same() -> None:
    made, stored = both()
    draft = Draft(Workspace(Book(SCOPE, 0)), moment_s=0, identifiers=IdentifierSequence(0, b"\0" * 8))
    draft.versions = [Versioned(stored, 1, stored.sequence)]
    changes = Changes(drafts=[(samples.new_submission(0, SCOPE), draft)])
    (tenant,), (mode,), (sequence,), _, accounts, (currency,), *columns = run_steps(
        ledger_columns.columns(changes)
    )[0]
    (command,), (place,), (phase,), (debit,), (credit,), (number,), *moved = columns
    amounts, expires_at, hold, (metadata,) = moved[:5], moved[5], moved[6:8], moved[8]
    assert (command, number, expires_at, hold) == (0, 0, [None], [[None], [None]])
    scope = (UUID(tenant), mode, sequence, place, phase)
    sides = (UUID(accounts[debit]), UUID(accounts[credit]), currency)
    theirs = made.row(7)
    assert (*theirs[:5], *theirs[6:]) == (*scope, *sides, *(amount for (amount,) in amounts), metadata)
    assert round(theirs[5].timestamp() * 1000) == moment_of(json.loads(made.answer(7))["id"])
    event = made.event(7)
    assert (event[:3], event[4], event[6]) == (theirs[:3], "ledger.transfer.created", 1)
    assert position_of(event[5].hex) == (7, 0)


_COUNTERS = st.integers(0, 30)
_ACCOUNTS = st.builds(
    Account,
    id=st.just(""),
    code=st.sampled_from(["wallet", "wallet", "wallet", "fees"]),
    currency=st.sampled_from(["usd", "usd", "usd", "eur"]),
    normal_side=st.sampled_from(["C", "D"]),
    debits_posted=_COUNTERS,
    credits_posted=_COUNTERS,
    debits_pending=_COUNTERS,
    credits_pending=_COUNTERS,
    min_balance=st.none() | st.integers(-20, 0),
).filter(lambda account: account.min_balance is None or account.available >= account.min_balance)


@given(
    st.lists(_ACCOUNTS, min_size=4, max_size=4),
    st.sampled_from(NAMES),
    st.sampled_from(NAMES),
    st.integers(1, 20),
)
def test_the_same_transfers_are_made_and_refused(
    drawn: list[Account], debit: str, credit: str, amount: int
) -> None:
    accounts = [msgspec.structs.replace(one, id=name) for one, name in zip(drawn, NAMES, strict=False)]
    world = world_of(accounts)
    command = CreateLedgerTransfer(debit_account=debit, credit_account=credit, amount=amount)
    try:
        ours: Any = world.do(command)
    except FastpayError:
        with pytest.raises(transfer.NotMovable):
            move(accounts, ask(debit, credit, amount))
        return
    theirs = move(accounts, ask(debit, credit, amount))
    counters = (ours.debits_posted, ours.debits_pending, ours.credits_posted, ours.credits_pending)
    assert theirs.counters == counters
