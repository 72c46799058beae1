"""Accounts: the tenant that an API key belongs to, with its money rules, and those connected to it."""

from collections.abc import Callable, Mapping
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import answers
from fastpay.api.authentication import check_account
from fastpay.api.common_params import (
    Email,
    Metadata,
    NoParams,
    Params,
    Part,
    Phone,
    Text,
    Url,
    first_metadata,
    given,
)
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List
from fastpay.api.resource import Resource
from fastpay.api.routes import Policy, Route
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.connected_accounts import BusinessProfile, ConnectedAccount, CreateConnectedAccount
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Profile
from fastpay.errors import InvalidRequest

Country = Annotated[str, Meta(pattern="^[A-Z]{2}$(?!\\n)")]

_NOTHING_REQUIRED: Mapping[str, object] = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
_NO_ADDRESS: Mapping[str, object] = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}


CAPABILITIES = ("card_payments", "transfers")


class BusinessProfileParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an account says about its business."""

    mcc: Text | None = None
    name: Text | None = None
    product_description: Text | None = None
    support_email: Email | None = None
    support_phone: Phone | None = None
    support_url: Url | None = None
    url: Url | None = None


class CapabilityParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether a capability is requested."""

    requested: bool = False


class CapabilitiesParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The capabilities of a connected account."""

    card_payments: CapabilityParams = CapabilityParams()
    transfers: CapabilityParams = CapabilityParams()


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a connected account."""

    creates: ClassVar[bool] = True

    business_profile: BusinessProfileParams | UnsetType | None = UNSET
    business_type: Literal["company", "government_entity", "individual", "non_profit"] | UnsetType | None = (
        UNSET
    )
    capabilities: CapabilitiesParams = CapabilitiesParams()
    country: Country = "US"
    default_currency: str | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    type: Literal["custom", "express", "standard"] = "standard"


class AccountListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connected accounts."""


class RetrieveAccount:
    """The endpoint that shows the caller's account or, by `find`, one that is connected to it."""

    policy = Policy()

    def __init__(self, find: Callable[[Call], str]) -> None:
        self._find = find

    async def answer(self, call: Call) -> Reply:
        """Show the account. Raises: AccountInvalid for another tenant's, and for one that is not there."""
        identifier = self._find(call)
        if identifier != kinds.account_of(call.scope) and kinds.could_be(kinds.ACCOUNT, identifier):
            found = await call.services.reader.get(call.scope, identifier)
            if found is not None:
                params = decode_query(NoParams, call.query)
                answers.check_expansions(call, ACCOUNT, params.expand)
                return Reply(body=ACCOUNT.render_bytes(found.object, call.scope.livemode))
        check_account(call.scope, identifier)
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, None, params.expand)
        profile = await call.services.reader.profile(call.scope)
        return Reply(body=answers.encode(render_account(call.scope, profile)))


def create(call: Call, params: CreateParams) -> CreateConnectedAccount:
    """Create a connected account."""
    fields = given(params, "business_type", "country", "email", "type")
    if params.business_profile is not None and not isinstance(params.business_profile, UnsetType):
        fields["business_profile"] = BusinessProfile(**msgspec.structs.asdict(params.business_profile))
    if isinstance(params.default_currency, str):
        try:
            fields["default_currency"] = money.parse_currency(params.default_currency)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, param="default_currency") from None
    requested = msgspec.structs.asdict(params.capabilities)
    # Test mode has no onboarding: who requests nothing can receive transfers too.
    names = tuple(name for name, wanted in requested.items() if wanted.requested) or ("transfers",)
    return CreateConnectedAccount(
        fields={**fields, "capabilities": names}, metadata=first_metadata(params.metadata)
    )


def render_account(scope: Scope, profile: Profile) -> dict[str, object]:
    """Return the account of a tenant in one mode."""
    # No processor takes live payments.
    charges_enabled = not scope.livemode
    return {
        **_describe(kinds.account_of(scope), profile.name, charges_enabled=charges_enabled),
        "capabilities": {
            "card_payments": "active" if charges_enabled else "inactive",
            "transfers": "inactive",
        },
        "created": profile.created_ms // 1000,
        "details_submitted": True,
        "fastpay": msgspec.structs.asdict(profile.rules),
        "settings": _settings(profile.name, profile.rules.funds_delay_days, profile.rules.payout_interval),
    }


def _render_connected(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return a connected account in JSON. It takes no payments of its own."""
    assert isinstance(stored, ConnectedAccount)
    described = _describe(stored.id, stored.business_profile.name, charges_enabled=False)
    profile = described["business_profile"]
    assert isinstance(profile, dict)
    return answers.encode(
        {
            **described,
            "business_profile": {**profile, **msgspec.structs.asdict(stored.business_profile)},
            "business_type": stored.business_type,
            "capabilities": {
                name: "active" if name in stored.capabilities else "inactive" for name in CAPABILITIES
            },
            "country": stored.country,
            "created": stored.created,
            "default_currency": stored.default_currency,
            "email": stored.email,
            "metadata": stored.metadata,
            "settings": _settings(stored.business_profile.name, limits.funds_delay_days, "manual"),
            "type": stored.type,
        }
    )


def _describe(identifier: str, name: str | None, *, charges_enabled: bool) -> dict[str, object]:
    """Return what all accounts show alike."""
    return {
        "id": identifier,
        "object": "account",
        "business_profile": {
            "annual_revenue": {"amount": None, "currency": None, "fiscal_year_end": None},
            "estimated_worker_count": None,
            "mcc": None,
            "minority_owned_business_designation": None,
            "name": name,
            "product_description": None,
            "support_address": _NO_ADDRESS,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": None,
        "capabilities": {},
        "charges_enabled": charges_enabled,
        "controller": {"type": "account"},
        "country": "US",
        "created": 0,
        "default_currency": "usd",
        "details_submitted": False,
        "email": None,
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{identifier}/external_accounts",
        },
        "future_requirements": _NOTHING_REQUIRED,
        "metadata": {},
        "payouts_enabled": charges_enabled,
        "requirements": _NOTHING_REQUIRED,
        "settings": None,
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
    }


def _settings(name: str | None, delay_days: int, interval: str) -> dict[str, object]:
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            # A card whose check fails is not declined for that alone.
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
        "invoices": {"default_account_tax_ids": None, "hosted_payment_method_save": None},
        "payments": {
            "statement_descriptor": None,
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "payouts": {
            "debit_negative_balances": False,
            "schedule": {"delay_days": delay_days, "interval": interval},
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


ACCOUNT = Resource(kinds.ACCOUNT, encode=_render_connected)
RESOURCES: tuple[Resource, ...] = (ACCOUNT,)
ROUTES = (
    Route("GET", "/v1/account", RetrieveAccount(lambda call: kinds.account_of(call.scope))),
    Route("POST", "/v1/accounts", Write(ACCOUNT, CreateParams, create)),
    Route("GET", "/v1/accounts", List(ACCOUNT, AccountListParams)),
    Route("GET", "/v1/accounts/{id}", RetrieveAccount(lambda call: call.arguments["id"])),
)
