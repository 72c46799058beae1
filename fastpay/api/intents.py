"""What requests for payment intents and for setup intents share: parameters, and what follows from them."""

from typing import Literal, Protocol, get_args

from msgspec import UNSET, UnsetType

from fastpay import limits
from fastpay.api import card_params, challenges
from fastpay.api.common_params import Params, Part, refuse_together, value_or
from fastpay.api.context import Call, Services
from fastpay.api.openapi import codes_page
from fastpay.domain import kinds
from fastpay.domain.error_links import NO_LINKS, ErrorLinks
from fastpay.errors import InvalidRequest

_METHOD_TYPES = get_args(card_params.MethodType)


class AutomaticPaymentMethods(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether fastpay chooses the types of payment method."""

    enabled: bool
    allow_redirects: Literal["always", "never"] | UnsetType = UNSET


class AuthenticateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Complete authentication in test mode."""

    outcome: Literal["succeeded", "failed"] = "succeeded"


class CreatedIntent(Protocol):
    """Params of a new intent."""

    @property
    def automatic_payment_methods(self) -> AutomaticPaymentMethods | UnsetType:
        """Whether fastpay chooses the types of payment method."""

    @property
    def payment_method_types(self) -> tuple[str, ...] | UnsetType:
        """The types that the client chooses."""


class ConfirmedIntent(Protocol):
    """Params of a request that confirms an intent, or may do so."""

    @property
    def confirmation_token(self) -> str | UnsetType:
        """The identifier of a confirmation token."""

    @property
    def return_url(self) -> str | UnsetType:
        """Where the cardholder returns to after a challenge."""

    @property
    def use_stripe_sdk(self) -> bool:
        """Whether the client shows a challenge itself."""


def automatic_fields(params: CreatedIntent) -> dict[str, object]:
    """Return the fields that follow from `automatic_payment_methods`. Raises: InvalidRequest."""
    automatic = params.automatic_payment_methods
    if isinstance(automatic, UnsetType):
        return {}
    if automatic.enabled and params.payment_method_types is not UNSET:
        raise refuse_together("automatic_payment_methods", "payment_method_types")
    allow_redirects = value_or(automatic.allow_redirects, "always") if automatic.enabled else None
    return {"automatic_payment_methods": automatic.enabled, "allow_redirects": allow_redirects}


def method_types(types: tuple[str, ...] | UnsetType) -> dict[str, object]:
    """Return the fields that follow from `payment_method_types`. Raises: InvalidRequest."""
    if isinstance(types, UnsetType):
        return {}
    others = [name for name in types if name not in _METHOD_TYPES]
    if others:
        shown = ", ".join(map(kinds.presentable, others[: limits.listed_names_max]))
        raise InvalidRequest(
            f"The payment method types {shown} are not served, only {', '.join(_METHOD_TYPES)}.",
            param="payment_method_types",
        )
    return {"payment_method_types": tuple(dict.fromkeys(types)), "automatic_payment_methods": False}


def allowed_types(
    allowed: tuple[str, ...] | UnsetType | None, listed: tuple[str, ...] | UnsetType
) -> dict[str, object]:
    """Return the fields that follow from `allowed_payment_method_types`. Raises: InvalidRequest.

    Types that are not served are never compatible with a payment, so they are left out.
    """
    if isinstance(allowed, UnsetType) or allowed is None:
        return {}
    if not isinstance(listed, UnsetType):
        raise refuse_together("allowed_payment_method_types", "payment_method_types")
    served = tuple(name for name in dict.fromkeys(allowed) if name in _METHOD_TYPES)
    if not served:
        raise InvalidRequest(
            f"None of these payment method types is served, only {', '.join(_METHOD_TYPES)}.",
            param="allowed_payment_method_types",
        )
    return {"payment_method_types": served}


def customer_of(identifier: str | UnsetType) -> str | None:
    """Return the identifier of the customer, or None if there is none in the request. Raises: NotFound."""
    if isinstance(identifier, UnsetType):
        return None
    return kinds.check(kinds.CUSTOMER, identifier, param="customer")


def error_links(services: Services, request_id: str) -> ErrorLinks:
    """Return where an error of this request is explained, as far as it is stored and a setting says where."""
    notes, public_url = services.request_notes, services.settings.public_url
    if notes is None and public_url is None:
        return NO_LINKS
    return ErrorLinks(
        codes_url=codes_page.address(public_url),
        request_log_url=None if notes is None else notes.url_of(request_id),
    )


def challenge_page(call: Call, params: ConfirmedIntent) -> str | None:
    """Return the URL of the page for this attempt, as `challenges.page` does."""
    return challenges.page(
        call,
        params.return_url,
        use_stripe_sdk=params.use_stripe_sdk,
        has_token=params.confirmation_token is not UNSET,
    )
