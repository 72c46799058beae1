"""The command that opens a client's ledger account."""

from collections.abc import Iterable, Mapping

import msgspec

from fastpay.domain import metadata
from fastpay.domain.ledger import RESERVED_CODES, Account, is_owner
from fastpay.domain.ledger_objects import LedgerAccount
from fastpay.domain.plan import Draft, Workspace
from fastpay.errors import InvalidRequest


class CreateLedgerAccount(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Open an account. `min_balance` None means unbounded; it is never above 0."""

    currency: str
    code: str
    normal_side: str
    min_balance: int | None = None
    metadata: Mapping[str, str] = {}

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return nothing: several accounts may have the same code."""
        return ()

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Open the account. Raises: InvalidRequest for a code that is reserved for payments."""
        if self.code in RESERVED_CODES or is_owner(self.code):
            raise InvalidRequest(
                f"The code '{self.code}' is reserved for an account that payments move. Choose another code.",
                code="ledger_code_reserved",
                param="code",
            )
        opened = LedgerAccount(
            id=draft.new_id(LedgerAccount.prefix),
            created=draft.moment_s,
            code=self.code,
            currency=self.currency,
            normal_side=self.normal_side,
            min_balance=self.min_balance,
            metadata=metadata.merge({}, self.metadata),
        )
        draft.accounts[opened.id] = Account(
            id=opened.id,
            code=opened.code,
            currency=opened.currency,
            normal_side=opened.normal_side,
            min_balance=opened.min_balance,
        )
        draft.opened.append(opened.id)
        draft.put(opened, "ledger.account.created")
        return opened.id
