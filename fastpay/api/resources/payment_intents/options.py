"""Options of payments that few requests use: parameters, and what is stored of them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, NotRequired, TypedDict

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import card_params
from fastpay.api.common_params import Identifier, Name, Part, Text, value_or
from fastpay.domain.options import ABSENT_CREDENTIALS, AttemptOptions, Authentication, CashOptions
from fastpay.domain.tokens import CVC_PARAM
from fastpay.errors import InvalidRequest

Availability = Literal["if_available", "never"]
CredentialUsage = Literal["installment", "recurring", "unscheduled"]
Amount = Annotated[int, Meta(ge=0, le=limits.amount_max)]
Reference = Annotated[str, Meta(min_length=1, max_length=limits.name_chars_max)]

# What the result of an authentication by another provider means, by its trans_status. Source: EMV 3-D Secure.
_RESULTS = {
    "A": "attempt_acknowledged",
    "C": "failed",
    "I": "data_share_only",
    "N": "failed",
    "R": "failed",
    "U": "processing_error",
    "Y": "authenticated",
}
# The same by the electronic commerce indicator, where no trans_status is given.
_RESULTS_OF_INDICATOR = {"01": "attempt_acknowledged", "06": "attempt_acknowledged", "07": "failed"}


class CartesBancaires(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Cartes Bancaires' own part of an authentication. Without effect."""

    is_forgotten: ClassVar[bool] = True

    cb_avalgo: Literal["0", "1", "2", "3", "4", "A"]
    cb_exemption: Name | UnsetType = UNSET
    cb_score: Annotated[int, Meta(ge=0, le=99)] | UnsetType = UNSET


class NetworkOptions(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The networks' own parts of an authentication."""

    cartes_bancaires: CartesBancaires | UnsetType = UNSET


class ThreeDSecure(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """3-D Secure that another provider has done. The cryptogram is not stored."""

    is_forgotten: ClassVar[bool] = True

    version: Literal["1.0.2", "2.1.0", "2.2.0", "2.3.0", "2.3.1"]
    transaction_id: Reference
    cryptogram: Reference | UnsetType = UNSET
    ares_trans_status: Literal["A", "C", "I", "N", "R", "U", "Y"] | UnsetType = UNSET
    electronic_commerce_indicator: Literal["01", "02", "05", "06", "07"] | UnsetType = UNSET
    exemption_indicator: Literal["low_risk", "none"] | UnsetType = UNSET
    network_options: NetworkOptions | UnsetType = UNSET
    requestor_challenge_indicator: Name | UnsetType = UNSET


class MitExemption(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment that the merchant starts, by an agreement with the cardholder."""

    # Identifiers of the networks may look like card numbers.
    is_forgotten: ClassVar[bool] = True

    claim_without_transaction_id: bool | UnsetType = UNSET
    ds_transaction_id: Reference | UnsetType = UNSET
    network_transaction_id: Reference | UnsetType = UNSET


class CardOptions(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options for cards. Null unsets one."""

    capture_method: Literal["manual"] | UnsetType | None = UNSET
    cvc_token: Identifier | UnsetType | None = UNSET
    mit_exemption: MitExemption | UnsetType | None = UNSET
    moto: bool | UnsetType = UNSET
    network: (
        Literal[
            "amex",
            "cartes_bancaires",
            "diners",
            "discover",
            "eftpos_au",
            "girocard",
            "interac",
            "jcb",
            "link",
            "mastercard",
            "unionpay",
            "unknown",
            "visa",
        ]
        | UnsetType
        | None
    ) = UNSET
    request_extended_authorization: Availability | UnsetType | None = UNSET
    request_incremental_authorization: Availability | UnsetType | None = UNSET
    request_multicapture: Availability | UnsetType | None = UNSET
    request_overcapture: Availability | UnsetType | None = UNSET
    request_three_d_secure: Literal["any", "automatic", "challenge"] | UnsetType | None = UNSET
    require_cvc_recollection: bool | UnsetType = UNSET
    setup_credential_usage: CredentialUsage | UnsetType | None = UNSET
    setup_future_usage: Literal["none", "on_session", "off_session"] | UnsetType | None = UNSET
    statement_descriptor_suffix_kana: Name | UnsetType | None = UNSET
    statement_descriptor_suffix_kanji: Name | UnsetType | None = UNSET
    stored_credential_transaction_type: (
        Literal[
            "setup_off_session_recurring",
            "setup_off_session_unscheduled",
            "setup_on_session",
            "stored_off_session_recurring",
            "stored_off_session_unscheduled",
            "stored_on_session",
        ]
        | UnsetType
        | None
    ) = UNSET
    stored_credential_usage: CredentialUsage | UnsetType | None = UNSET
    three_d_secure: ThreeDSecure | UnsetType | None = UNSET


class EuBankTransfer(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the bank account is that customers transfer euros to."""

    country: Literal["BE", "DE", "ES", "FR", "IE", "NL"]


class BankTransfer(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Bank transfers that customers make. `jp_bank_account` is an older name of `jp_bank_transfer`."""

    type: Literal[
        "eu_bank_transfer",
        "gb_bank_transfer",
        "jp_bank_account",
        "jp_bank_transfer",
        "mx_bank_transfer",
        "us_bank_transfer",
    ]
    eu_bank_transfer: EuBankTransfer | UnsetType = UNSET
    requested_address_types: (
        Annotated[
            tuple[Literal["aba", "iban", "sepa", "sort_code", "spei", "swift", "zengin"], ...],
            Meta(min_length=1, max_length=limits.payment_method_types_max),
        ]
        | UnsetType
    ) = UNSET

    @property
    def known_type(self) -> str:
        """The type by its present name."""
        return "jp_bank_transfer" if self.type == "jp_bank_account" else self.type

    def chosen_country(self, prefix: str) -> str | None:
        """Return the country, which only euros have a choice of. Raises: InvalidRequest."""
        name = f"{prefix}[eu_bank_transfer]"
        if isinstance(self.eu_bank_transfer, UnsetType):
            if self.type == "eu_bank_transfer":
                raise InvalidRequest(
                    "Say in which country the bank account is to be.",
                    code="parameter_missing",
                    param=f"{name}[country]",
                )
            return None
        if self.type != "eu_bank_transfer":
            raise InvalidRequest(f"The type of the bank transfer is {self.type}.", param=name)
        return self.eu_bank_transfer.country


class CustomerBalanceOptions(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options for the customer's cash balance."""

    bank_transfer: BankTransfer | UnsetType = UNSET
    funding_type: Literal["bank_transfer"] | UnsetType = UNSET
    setup_future_usage: Literal["none"] | UnsetType = UNSET


class PaymentMethodOptions(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options by type of payment method."""

    card: CardOptions | UnsetType | None = UNSET
    customer_balance: CustomerBalanceOptions | UnsetType | None = UNSET


class LineItemTax(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The tax on a line item."""

    total_tax_amount: Amount


class LineItem(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of what is paid for."""

    product_name: Text
    quantity: Annotated[int, Meta(ge=1)]
    unit_cost: Amount
    discount_amount: Amount | UnsetType = UNSET
    product_code: Name | UnsetType = UNSET
    tax: LineItemTax | UnsetType = UNSET
    unit_of_measure: Name | UnsetType = UNSET


class ShippingAmount(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shipping costs."""

    amount: Amount | UnsetType | None = UNSET
    from_postal_code: Name | UnsetType | None = UNSET
    to_postal_code: Name | UnsetType | None = UNSET


class AmountDetails(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the amount is made of."""

    discount_amount: Amount | UnsetType | None = UNSET
    enforce_arithmetic_validation: bool | UnsetType = UNSET
    line_items: Annotated[list[LineItem], Meta(max_length=limits.line_items_max)] | UnsetType = UNSET
    shipping: ShippingAmount | UnsetType | None = UNSET
    tax: LineItemTax | UnsetType | None = UNSET


class ShownTip(TypedDict):
    """A tip, of which nothing is known."""


class ShownAmountDetails(TypedDict):
    """What the amount is made of, as it is shown."""

    discount_amount: NotRequired[int | None]
    shipping: NotRequired[ShippingAmount | None]
    tax: NotRequired[LineItemTax | None]
    tip: ShownTip


class PaymentDetails(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The merchant's references."""

    customer_reference: Reference | UnsetType | None = UNSET
    order_reference: Reference | UnsetType | None = UNSET


class Level3Item(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of level 3 data."""

    product_code: Name
    product_description: Text
    discount_amount: Amount | UnsetType = UNSET
    quantity: Annotated[int, Meta(ge=0)] | UnsetType = UNSET
    tax_amount: Amount | UnsetType = UNSET
    unit_cost: Amount | UnsetType = UNSET


class Level3(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Level 3 data, for corporate cards."""

    merchant_reference: Reference
    customer_reference: Reference | UnsetType = UNSET
    line_items: Annotated[list[Level3Item], Meta(max_length=limits.line_items_max)] | UnsetType = UNSET
    shipping_address_zip: Name | UnsetType = UNSET
    shipping_amount: Amount | UnsetType = UNSET
    shipping_from_zip: Name | UnsetType = UNSET


class RadarOptions(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of fraud prevention. Without effect, but shown."""

    referrer: Text | UnsetType | None = UNSET
    session: Reference | UnsetType = UNSET
    skip_rules: Annotated[list[Literal["all"]], Meta(min_length=1, max_length=1)] | UnsetType = UNSET


def card_changes(options: CardOptions) -> dict[str, object]:
    """Return the changes of a payment's stored options for cards."""
    changes: dict[str, object] = {}
    for name in _STORED:
        value = getattr(options, name)
        if value is not UNSET:
            changes[name] = value
    if changes.get("request_three_d_secure", UNSET) is None:
        changes["request_three_d_secure"] = "automatic"
    return changes


def cash_options(options: CustomerBalanceOptions | None) -> CashOptions | None:
    """Return the options for the customer's cash balance as they are stored. Raises: InvalidRequest."""
    if options is None:
        return None
    prefix = "payment_method_options[customer_balance]"
    transfer = value_or(options.bank_transfer, None)
    if transfer is None:
        return CashOptions(funding_type=value_or(options.funding_type, None))
    if options.funding_type is UNSET:
        raise InvalidRequest(
            "Bank transfers fund the cash balance: give funding_type=bank_transfer too.",
            code="parameter_missing",
            param=f"{prefix}[funding_type]",
        )
    return CashOptions(
        funding_type="bank_transfer",
        type=transfer.known_type,
        country=transfer.chosen_country(f"{prefix}[bank_transfer]"),
        requested_address_types=value_or(transfer.requested_address_types, None),
    )


def attempt_options(options: CardOptions) -> AttemptOptions | None:
    """Return what holds for the next attempt alone, None if nothing does. Raises: InvalidRequest."""
    exemption = value_or(options.mit_exemption, None) or MitExemption()
    network_transaction_id = value_or(exemption.network_transaction_id, None)
    external = value_or(options.three_d_secure, None)
    cvc_token = value_or(options.cvc_token, None)
    result = AttemptOptions(
        authentication=None if external is None else _authentication(external),
        has_agreement=network_transaction_id is not None or exemption.claim_without_transaction_id is True,
        is_absent=options.stored_credential_transaction_type in ABSENT_CREDENTIALS,
        moto=options.moto is True,
        network_transaction_id=network_transaction_id,
        cvc_token=None if cvc_token is None else card_params.stored_token(cvc_token, param=CVC_PARAM),
    )
    return None if result == AttemptOptions() else result


def kept(part: Part | None) -> str | None:
    """Return a parameter as it is shown: JSON."""
    return None if part is None else msgspec.json.encode(part).decode()


def shown_amount_details(details: AmountDetails | None, amount: int | None) -> str | None:
    """Return the details of an amount as they are shown. `amount` is None if it is not known here.

    Raises: InvalidRequest if the merchant wants the arithmetic checked, and it is wrong.
    """
    if details is None:
        return None
    shown: dict[str, Any] = msgspec.to_builtins(details)
    # Line items are a list of their own in the dialect, and not served.
    items = shown.pop("line_items", ())
    if shown.pop("enforce_arithmetic_validation", False) and amount is not None and items:
        expected = _sum_of(shown, items)
        if expected != amount:
            raise InvalidRequest(
                f"Line items, shipping, tax and discount add up to {expected}, and the amount is {amount}.",
                code="amount_details_amount_mismatch",
                param="amount_details",
            )
    return msgspec.json.encode({**shown, "tip": {}}).decode()


def _sum_of(shown: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> int:
    # Any: built-in values of several types.
    total = sum(item["unit_cost"] * item["quantity"] - item.get("discount_amount", 0) for item in items)
    total += sum(item["tax"]["total_tax_amount"] for item in items if "tax" in item)
    total += (shown.get("shipping") or {}).get("amount") or 0
    total += (shown.get("tax") or {}).get("total_tax_amount", 0)
    return int(total - (shown.get("discount_amount") or 0))


def _authentication(given: ThreeDSecure) -> Authentication:
    indicator = value_or(given.electronic_commerce_indicator, None)
    status = value_or(given.ares_trans_status, None)
    by_indicator = _RESULTS_OF_INDICATOR.get(indicator or "", "authenticated")
    return Authentication(
        result=by_indicator if status is None else _RESULTS[status],
        electronic_commerce_indicator=indicator,
        exemption_indicator=value_or(given.exemption_indicator, None),
        transaction_id=given.transaction_id,
        version=given.version,
    )


_STORED = (
    "capture_method",
    "network",
    "request_extended_authorization",
    "request_incremental_authorization",
    "request_multicapture",
    "request_overcapture",
    "request_three_d_secure",
    "require_cvc_recollection",
    "setup_credential_usage",
    "setup_future_usage",
    "statement_descriptor_suffix_kana",
    "statement_descriptor_suffix_kanji",
    "stored_credential_usage",
)
