"""Accounts: the tenant that an API key belongs to, with its money rules, and those connected to it."""

from collections.abc import Callable
from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import answers
from fastpay.api.authentication import check_account
from fastpay.api.card_params import stored_token
from fastpay.api.common_params import (
    Email,
    Identifier,
    Metadata,
    NoParams,
    Params,
    Part,
    Phone,
    Text,
    Url,
    first_metadata,
    given,
    refuse_together,
    told,
    value_or,
)
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.layout import Field, Json, Nested, Shape, When, fields, template
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import List
from fastpay.api.resource import Encoding, Included, Resource
from fastpay.api.routes import Contract, Policy, Route
from fastpay.api.source_shapes import BANK_ACCOUNT
from fastpay.api.writes import Write
from fastpay.domain import kinds, money
from fastpay.domain.bank_accounts import BankAccount
from fastpay.domain.connected_accounts import BusinessProfile, ConnectedAccount, CreateConnectedAccount
from fastpay.domain.identifiers import Scope
from fastpay.domain.rules import Rules
from fastpay.engine.ports import Profile
from fastpay.errors import InvalidRequest

Country = Annotated[
    str,
    Meta(pattern="^[A-Z]{2}$(?!\\n)", extra=told("a country in two capital letters, for example DE")),
]

_NOTHING_REQUIRED: Shape = {
    "alternatives": [],
    "current_deadline": None,
    "currently_due": [],
    "disabled_reason": None,
    "errors": [],
    "eventually_due": [],
    "past_due": [],
    "pending_verification": [],
}
_NO_ADDRESS: Shape = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}
# Periods begin with Monday, and with the first of the month.
_INTERVAL = fields("delay_days", "interval")
_SETTINGS: Shape = {
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
    "dashboard": {"display_name": Field("business_profile.name"), "timezone": "Etc/UTC"},
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
        "schedule": When(
            "interval",
            {**_INTERVAL, "weekly_anchor": "monday"},
            otherwise=When(
                "interval", {**_INTERVAL, "monthly_anchor": 1}, otherwise=_INTERVAL, equals="monthly"
            ),
            equals="weekly",
        ),
        "statement_descriptor": None,
    },
    "sepa_debit_payments": {},
}
_EXTERNAL_ACCOUNT: dict[str, Shape] = {
    "id": Field("id"),
    **BANK_ACCOUNT,
    "account": Field("account"),
    "available_payout_methods": ["standard"],
    "default_for_currency": True,
    "future_requirements": _NOTHING_REQUIRED,
    "requirements": _NOTHING_REQUIRED,
}
_CONNECTED: dict[str, Shape] = {
    "id": Field("id"),
    "object": "account",
    "business_profile": {
        "annual_revenue": {"amount": None, "currency": None, "fiscal_year_end": None},
        "estimated_worker_count": None,
        "mcc": Field("business_profile.mcc"),
        "minority_owned_business_designation": None,
        "name": Field("business_profile.name"),
        "product_description": Field("business_profile.product_description"),
        "support_address": _NO_ADDRESS,
        "support_email": Field("business_profile.support_email"),
        "support_phone": Field("business_profile.support_phone"),
        "support_url": Field("business_profile.support_url"),
        "url": Field("business_profile.url"),
    },
    "business_type": Field("business_type"),
    "capabilities": {"card_payments": Field("card_payments"), "transfers": Field("transfers")},
    "charges_enabled": Field("charges_enabled"),
    "controller": {"type": "account"},
    **fields("country", "created", "default_currency", "details_submitted", "email"),
    "external_accounts": {
        "object": "list",
        "data": When("bank_account", [Nested("bank_account", BankAccount, _EXTERNAL_ACCOUNT)], otherwise=[]),
        "has_more": False,
        "url": Field("external_accounts_url"),
    },
    "future_requirements": _NOTHING_REQUIRED,
    "metadata": Field("metadata"),
    "payouts_enabled": Field("charges_enabled"),
    "requirements": _NOTHING_REQUIRED,
    "settings": _SETTINGS,
    "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
    "type": Field("type"),
}
# The caller's own account has its money rules too.
_SHAPE = When("rules", {**_CONNECTED, "fastpay": Json("rules", Rules)}, otherwise=_CONNECTED)


class _Shown(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """An account as clients see it. `rules` is JSON."""

    id: str
    bank_account: BankAccount | None = None
    business_profile: BusinessProfile
    business_type: str | None = None
    card_payments: str
    charges_enabled: bool
    country: str = "US"
    created: int
    default_currency: str = "usd"
    delay_days: int
    details_submitted: bool
    email: str | None = None
    external_accounts_url: str
    interval: str
    metadata: dict[str, str] = {}
    rules: str | None = None
    transfers: str
    type: str = "standard"


_TEMPLATE = template(_Shown, _SHAPE)


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


class PayerParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who pays fees."""

    payer: Literal["account", "application"] = "account"


class LossesParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who is liable if an account cannot pay."""

    payments: Literal["application", "stripe"] = "stripe"


class DashboardParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which dashboard an account has."""

    type: Literal["express", "full", "none"] = "full"


class ControllerParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who controls a connected account. Without effect: it only receives transfers."""

    fees: PayerParams = PayerParams()
    losses: LossesParams = LossesParams()
    requirement_collection: Literal["application", "stripe"] = "stripe"
    stripe_dashboard: DashboardParams = DashboardParams()


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a connected account."""

    creates: ClassVar[bool] = True

    business_profile: BusinessProfileParams | UnsetType | None = UNSET
    business_type: Literal["company", "government_entity", "individual", "non_profit"] | UnsetType | None = (
        UNSET
    )
    capabilities: CapabilitiesParams = CapabilitiesParams()
    controller: ControllerParams | UnsetType = UNSET
    country: Country = "US"
    default_currency: str | UnsetType | None = UNSET
    email: Email | UnsetType | None = UNSET
    external_account: Identifier | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    type: Literal["custom", "express", "standard"] | UnsetType = UNSET


class AccountListParams(CreatedListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connected accounts."""


def create(call: Call, params: CreateParams) -> CreateConnectedAccount:
    """Create a connected account."""
    fields = given(params, "business_type", "country", "email", "type")
    if params.controller is not UNSET:
        if params.type is not UNSET:
            raise refuse_together("controller", "type")
        fields["type"] = "none"
    if params.business_profile is not None and not isinstance(params.business_profile, UnsetType):
        fields["business_profile"] = BusinessProfile(**msgspec.structs.asdict(params.business_profile))
    if isinstance(params.default_currency, str):
        try:
            fields["default_currency"] = money.parse_currency(params.default_currency)
        except InvalidRequest as error:
            raise InvalidRequest(error.message, param="default_currency") from None
    account = value_or(params.external_account, None)
    requested = msgspec.structs.asdict(params.capabilities)
    # Test mode has no onboarding: who requests nothing can receive transfers too.
    names = tuple(name for name, wanted in requested.items() if wanted.requested) or ("transfers",)
    return CreateConnectedAccount(
        fields={**fields, "capabilities": names},
        metadata=first_metadata(params.metadata),
        bank_account=None if account is None else stored_token(account, param="external_account"),
    )


def render_account(scope: Scope, profile: Profile) -> bytes:
    """Return the account of a tenant in one mode, in JSON."""
    # No processor takes live payments.
    charges_enabled = not scope.livemode
    identifier = kinds.account_of(scope)
    shown = _Shown(
        id=identifier,
        business_profile=BusinessProfile(name=profile.name),
        card_payments="active" if charges_enabled else "inactive",
        charges_enabled=charges_enabled,
        created=profile.created_ms // 1000,
        delay_days=profile.rules.funds_delay_days,
        details_submitted=True,
        external_accounts_url=_external_accounts(identifier),
        interval=profile.rules.payout_interval,
        rules=msgspec.json.encode(msgspec.structs.asdict(profile.rules)).decode(),
        transfers="inactive",
    )
    return _TEMPLATE.render(shown, scope.livemode)


def _render_connected(stored: msgspec.Struct, livemode: bool, whole: bytes | None = None) -> bytes:
    """Return a connected account in JSON. It takes no payments of its own."""
    assert isinstance(stored, ConnectedAccount)
    states = {name: "active" if name in stored.capabilities else "inactive" for name in CAPABILITIES}
    shown = _Shown(
        id=stored.id,
        bank_account=stored.bank_account,
        business_profile=stored.business_profile,
        business_type=stored.business_type,
        charges_enabled=False,
        country=stored.country,
        created=stored.created,
        default_currency=stored.default_currency,
        delay_days=limits.funds_delay_days,
        details_submitted=False,
        email=stored.email,
        external_accounts_url=_external_accounts(stored.id),
        interval="manual",
        metadata=stored.metadata,
        type=stored.type,
        **states,
    )
    return _TEMPLATE.render(shown, livemode)


def _external_accounts(identifier: str) -> str:
    return f"/v1/accounts/{identifier}/external_accounts"


ACCOUNT = Resource(
    kinds.ACCOUNT,
    shape=_SHAPE,
    encode=Encoding(_Shown, _render_connected),
    expandable={"external_accounts": Included()},
)


class RetrieveAccount:
    """The endpoint that shows the caller's account or, by `find`, one that is connected to it."""

    policy = Policy()
    contract = Contract(NoParams, ACCOUNT)

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
        answers.check_expansions(call, ACCOUNT, params.expand)
        profile = await call.services.reader.profile(call.scope)
        return Reply(body=render_account(call.scope, profile))


RESOURCES: tuple[Resource, ...] = (ACCOUNT,)
ROUTES = (
    Route("GET", "/v1/account", RetrieveAccount(lambda call: kinds.account_of(call.scope))),
    Route("POST", "/v1/accounts", Write(ACCOUNT, CreateParams, create)),
    Route("GET", "/v1/accounts", List(ACCOUNT, AccountListParams)),
    Route("GET", "/v1/accounts/{id}", RetrieveAccount(lambda call: call.arguments["id"])),
)
