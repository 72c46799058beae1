"""Connected accounts: those that a tenant transfers money to. Test mode has no onboarding."""

from collections.abc import Iterable, Mapping
from typing import ClassVar

import msgspec

from fastpay.domain import metadata, tokens
from fastpay.domain.bank_accounts import BankAccount
from fastpay.domain.objects import StoredObject
from fastpay.domain.plan import Draft, Workspace


class BusinessProfile(msgspec.Struct, frozen=True, gc=False, array_like=True, kw_only=True):
    """What a connected account says about its business."""

    mcc: str | None = None
    name: str | None = None
    product_description: str | None = None
    support_email: str | None = None
    support_phone: str | None = None
    support_url: str | None = None
    url: str | None = None


class ConnectedAccount(StoredObject, frozen=True, gc=False, array_like=True, kw_only=True):
    """An account that a tenant transfers money to. Its balances are accounts of the ledger."""

    prefix: ClassVar[str] = "acct"
    noun: ClassVar[str] = "account"
    param: ClassVar[str] = "account"

    business_profile: BusinessProfile = BusinessProfile()
    business_type: str | None = None
    capabilities: tuple[str, ...] = ()
    country: str = "US"
    default_currency: str = "usd"
    email: str | None = None
    metadata: dict[str, str] = msgspec.field(default_factory=dict)
    type: str = "standard"
    bank_account: BankAccount | None = None


class CreateConnectedAccount(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Create a connected account. `fields` are checked fields of `ConnectedAccount`.

    `bank_account` is a token of its bank account.
    """

    fields: Mapping[str, object] = {}
    metadata: Mapping[str, str] = {}
    bank_account: str | None = None

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Return the identifiers to load."""
        return () if self.bank_account is None else (self.bank_account,)

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write the account. Raises: InvalidRequest if the token cannot be used."""
        identifier, held = draft.new_id(ConnectedAccount.prefix), None
        if self.bank_account is not None:
            token = tokens.redeem(
                workspace, draft, self.bank_account, param="external_account", wanted=tokens.BANK_ACCOUNT
            )
            assert token.bank_account is not None
            held = msgspec.structs.replace(token.bank_account, account=identifier)
        account = ConnectedAccount(
            **{
                "id": identifier,
                "created": draft.moment_s,
                "bank_account": held,
                "metadata": metadata.merge({}, self.metadata),
                **self.fields,
            }  # type: ignore[arg-type]
        )
        draft.put(account, "ledger.connected_account.created")
        return account.id
