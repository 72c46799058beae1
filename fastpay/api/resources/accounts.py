"""The account: the tenant that an API key belongs to, with its money rules."""

from collections.abc import Callable, Mapping

import msgspec

from fastpay.api import answers
from fastpay.api.authentication import check_account
from fastpay.api.common_params import NoParams
from fastpay.api.context import Call, Reply
from fastpay.api.decoding import decode_query
from fastpay.api.envelopes import render_list
from fastpay.api.list_params import CreatedListParams
from fastpay.api.lists import absent, cursors
from fastpay.api.resource import Resource
from fastpay.api.routes import Policy, Route
from fastpay.domain import kinds
from fastpay.domain.identifiers import Scope
from fastpay.engine.ports import Profile

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


class RetrieveAccount:
    """The endpoint that shows the caller's account. `find` returns the identifier that was asked for."""

    policy = Policy()

    def __init__(self, find: Callable[[Call], str]) -> None:
        self._find = find

    async def answer(self, call: Call) -> Reply:
        """Show the account. Raises: AccountInvalid for another tenant's."""
        check_account(call.scope, self._find(call))
        params = decode_query(NoParams, call.query)
        answers.check_expansions(call, None, params.expand)
        profile = await call.services.reader.profile(call.scope)
        return Reply(body=answers.encode(render_account(call.scope, profile)))


class ListAccounts:
    """The endpoint that shows the accounts that are connected to the caller's, of which there are none."""

    policy = Policy()

    async def answer(self, call: Call) -> Reply:
        """Show an empty page. Raises: InvalidRequest."""
        params = decode_query(CreatedListParams, call.query)
        answers.check_expansions(call, None, params.expand, listed=True)

        async def find(identifier: str, param: str) -> str:
            raise absent(kinds.ACCOUNT, identifier, param)

        await cursors(params, find, lowest="", highest="")
        return Reply(body=answers.encode(render_list(call.path, [], has_more=False)))


def render_account(scope: Scope, profile: Profile) -> dict[str, object]:
    """Return the account of a tenant in one mode."""
    identifier = kinds.account_of(scope)
    # No processor takes live payments.
    charges_enabled = not scope.livemode
    return {
        "id": identifier,
        "object": "account",
        "business_profile": {
            "annual_revenue": {"amount": None, "currency": None, "fiscal_year_end": None},
            "estimated_worker_count": None,
            "mcc": None,
            "minority_owned_business_designation": None,
            "name": profile.name,
            "product_description": None,
            "support_address": _NO_ADDRESS,
            "support_email": None,
            "support_phone": None,
            "support_url": None,
            "url": None,
        },
        "business_type": None,
        "capabilities": {
            "card_payments": "active" if charges_enabled else "inactive",
            "transfers": "inactive",
        },
        "charges_enabled": charges_enabled,
        "controller": {"type": "account"},
        "country": "US",
        "created": profile.created_ms // 1000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{identifier}/external_accounts",
        },
        "fastpay": msgspec.structs.asdict(profile.rules),
        "future_requirements": _NOTHING_REQUIRED,
        "metadata": {},
        "payouts_enabled": charges_enabled,
        "requirements": _NOTHING_REQUIRED,
        "settings": _settings(profile),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "standard",
    }


def _settings(profile: Profile) -> dict[str, object]:
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
        "dashboard": {"display_name": profile.name, "timezone": "Etc/UTC"},
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
            "schedule": {
                "delay_days": profile.rules.funds_delay_days,
                "interval": profile.rules.payout_interval,
            },
            "statement_descriptor": None,
        },
        "sepa_debit_payments": {},
    }


RESOURCES: tuple[Resource, ...] = ()
ROUTES = (
    Route("GET", "/v1/account", RetrieveAccount(lambda call: kinds.account_of(call.scope))),
    Route("GET", "/v1/accounts", ListAccounts()),
    Route("GET", "/v1/accounts/{id}", RetrieveAccount(lambda call: call.arguments["id"])),
)
