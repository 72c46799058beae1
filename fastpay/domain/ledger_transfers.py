"""Commands on transfers between clients' accounts: move, hold, post a hold, void a hold.

The rules, in the order in which they are checked:

1. Both accounts exist.
2. They are two different accounts.
3. Neither is an account that payments move.
4. Both have the same currency.
5. First for the debit account, then for the credit account: no counter exceeds its maximum, and the balance
   minus outgoing holds does not fall below `min_balance`.

A hold ends at most once.
"""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import ledger, metadata, money
from fastpay.domain.identifiers import identifier_at
from fastpay.domain.ledger import Account, is_own
from fastpay.domain.ledger_objects import Ending, LedgerAccount, LedgerTransfer, Phase
from fastpay.domain.objects import missing
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InsufficientFunds, InvalidRequest

# The event of a hold, by the phase of the transfer that ends it.
ENDED: dict[Phase, str] = {
    "post": "ledger.transfer.posted",
    "void": "ledger.transfer.voided",
    "expire": "ledger.transfer.expired",
}
CREATED = "ledger.transfer.created"


class CreateLedgerTransfer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Move an amount, or reserve it if `is_hold`. `expires_at` is in seconds since 1970."""

    debit_account: str
    credit_account: str
    amount: int
    is_hold: bool = False
    expires_at: int | None = None
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return (self.debit_account, self.credit_account)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Make the transfer. Raises: NotFound, InvalidRequest, InsufficientFunds."""
        source = _require_account(workspace, self.debit_account, param="debit_account")
        target = _require_account(workspace, self.credit_account, param="credit_account")
        check_pair(source, target)
        if self.expires_at is not None and self.expires_at <= draft.moment_s:
            raise InvalidRequest(
                "A hold must expire in the future.", code="expires_at_past", param="expires_at"
            )
        made = _write(
            workspace,
            draft,
            (source, target),
            phase="hold" if self.is_hold else "posted",
            moved=0 if self.is_hold else self.amount,
            reserved=self.amount if self.is_hold else 0,
            amount=self.amount,
        )
        transfer = msgspec.structs.replace(
            made, expires_at=self.expires_at, metadata=metadata.merge({}, self.metadata)
        )
        draft.put(transfer, CREATED)
        return transfer.id


class PostLedgerTransfer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Post `amount` of a hold, or all of it if that is None. The rest is released."""

    id: str
    amount: int | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return _needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Post the hold. Raises: NotFound, InvalidRequest."""
        hold = _require_open(workspace, self.id)
        too_large = f"The amount to post is greater than the {hold.amount} that the hold reserves."
        amount = money.part_of(hold.amount, self.amount, too_large)
        if _is_due(hold, draft):
            _expire(workspace, draft, hold)
        else:
            _end(workspace, draft, hold, phase="post", moved=amount)
        return hold.id


class VoidLedgerTransfer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Release a hold."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return _needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Void the hold. Raises: NotFound, InvalidRequest."""
        hold = _require_open(workspace, self.id)
        if _is_due(hold, draft):
            _expire(workspace, draft, hold)
        else:
            _end(workspace, draft, hold, phase="void", moved=0)
        return hold.id


class ExpireLedgerTransfer(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Release a hold that has expired. The expiry task sends this command."""

    id: str

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return _needs(workspace, self.id)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Expire the hold. Do nothing if it has ended already or is not due."""
        hold = workspace.find(self.id)
        if isinstance(hold, LedgerTransfer) and hold.ending is None and _is_due(hold, draft):
            _end(workspace, draft, hold, phase="expire", moved=0)
        return self.id


def check_pair(source: Account, target: Account) -> None:
    """Raise InvalidRequest if clients cannot transfer between these accounts."""
    if source.id == target.id:
        raise InvalidRequest(
            "The two accounts of a transfer must differ.",
            code="ledger_accounts_equal",
            param="credit_account",
        )
    for account, param in ((source, "debit_account"), (target, "credit_account")):
        if is_own(account.code):
            raise InvalidRequest(
                f"The account '{account.code}' is reserved: only payments move it.",
                code="ledger_account_reserved",
                param=param,
            )
    if source.currency != target.currency:
        raise InvalidRequest(
            f"The debit account is in {source.currency}, the credit account in {target.currency}.",
            code="currency_mismatch",
            param="credit_account",
        )


def _require_account(workspace: Workspace, identifier: str, *, param: str) -> Account:
    account = workspace.accounts.get(identifier)
    if account is None:
        raise missing(LedgerAccount, identifier, param=param)
    return account


def _require_open(workspace: Workspace, identifier: str) -> LedgerTransfer:
    """Return a hold that has not ended. Raises: NotFound, InvalidRequest."""
    transfer = workspace.require(LedgerTransfer, identifier)
    if transfer.phase != "hold":
        raise InvalidRequest(
            "This transfer is not a hold. Only a hold can be posted or voided.",
            code="ledger_transfer_not_held",
            param="id",
        )
    if transfer.ending is not None:
        if transfer.ending.phase == "expire":
            raise _expired(transfer)
        raise InvalidRequest(
            f"The hold has already been ended by {transfer.ending.transfer_id}.",
            code="hold_already_ended",
            param="id",
        )
    return transfer


def _expired(hold: LedgerTransfer) -> InvalidRequest:
    return InvalidRequest(
        f"The hold expired at {hold.expires_at}, so its amount has been released.",
        code="hold_expired",
        param="id",
    )


def _is_due(hold: LedgerTransfer, draft: Draft) -> bool:
    return hold.expires_at is not None and hold.expires_at <= draft.moment_s


def _needs(workspace: Workspace, hold_id: str) -> Iterable[str]:
    hold = workspace.find(hold_id)
    if isinstance(hold, LedgerTransfer):
        return (hold_id, hold.debit_account, hold.credit_account)
    return (hold_id,)


def _expire(workspace: Workspace, draft: Draft, hold: LedgerTransfer) -> None:
    """Expire a hold that is due, and answer with the error that it has expired."""
    _end(workspace, draft, hold, phase="expire", moved=0)
    draft.fail(_expired(hold))


def _end(workspace: Workspace, draft: Draft, hold: LedgerTransfer, *, phase: Phase, moved: int) -> None:
    accounts = workspace.accounts[hold.debit_account], workspace.accounts[hold.credit_account]
    made = _write(
        workspace,
        draft,
        accounts,
        phase=phase,
        moved=moved,
        reserved=-hold.amount,
        amount=moved or hold.amount,
    )
    draft.put(msgspec.structs.replace(made, hold=hold.id), None)
    ending = Ending(made.id, made.sequence, phase, moved)
    draft.put(msgspec.structs.replace(hold, ending=ending), ENDED[phase])


def _write(
    workspace: Workspace,
    draft: Draft,
    accounts: tuple[Account, Account],
    *,
    phase: Phase,
    moved: int,
    reserved: int,
    amount: int,
) -> LedgerTransfer:
    """Move the two accounts and return the transfer, with the sequence number of the command's only event."""
    param = "debit_account"
    try:
        source = ledger.debit(accounts[0], posted=moved, pending=reserved)
        param = "credit_account"
        target = ledger.credit(accounts[1], posted=moved, pending=reserved)
    except InsufficientFunds as error:
        raise InsufficientFunds(error.message, code="insufficient_funds", param=param) from None
    except InvalidRequest as error:
        raise InvalidRequest(error.message, code=error.code, param=param) from None
    draft.accounts[source.id] = source
    draft.accounts[target.id] = target
    sequence = workspace.sequence + 1
    return LedgerTransfer(
        id=identifier_at(LedgerTransfer.prefix, draft.moment_ms, sequence, 0),
        created=draft.moment_s,
        sequence=sequence,
        phase=phase,
        debit_account=source.id,
        credit_account=target.id,
        currency=source.currency,
        amount=amount,
        debits_posted=source.debits_posted,
        debits_pending=source.debits_pending,
        credits_posted=target.credits_posted,
        credits_pending=target.credits_pending,
    )
