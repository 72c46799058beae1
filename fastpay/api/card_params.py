"""Cards in requests: parameters, checks, and the card that is kept.

Card numbers and security codes leave this module only as `CardData`, for the processor of a live payment: a
`Card` contains neither.
"""

import re
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Protocol, TypeVar, get_args

import msgspec
from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api import bank_account_params, card_expiry, card_numbers
from fastpay.api.bank_account_params import SepaDebitParams
from fastpay.api.common_params import (
    BillingDetailsParams,
    Metadata,
    Part,
    billing_details,
    refuse_together,
)
from fastpay.api.context import Call
from fastpay.api.showing import path_of
from fastpay.api.test_numbers import refuse_in_live_mode, unknown_number
from fastpay.domain import cards, iban_table, kinds, sources
from fastpay.domain.payment_methods import Choice, NewCard, TokenCard
from fastpay.domain.tokens import missing_token
from fastpay.engine.processors.ports import CardData
from fastpay.engine.processors.routed import Routed
from fastpay.errors import CardDeclined, InvalidRequest

AllowRedisplay = Literal["always", "limited", "unspecified"]
MethodType = Literal["card", "sepa_debit", "customer_balance"]

_METHOD_TYPES = get_args(MethodType)

_Value = TypeVar("_Value")

_MAGIC_EXPIRY_MONTH = 12
_MAGIC_EXPIRY_YEARS_AHEAD = 3
_DAY_S = 24 * 3600
_DAY_MS = _DAY_S * 1000
_NUMBER = re.compile(r"[0-9]{12,19}", re.ASCII)
_CVC = re.compile(r"[0-9]{3,4}", re.ASCII)


class CardParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card: its data, or a token for them."""

    is_forgotten: ClassVar[bool] = True

    number: Annotated[str, Meta(max_length=limits.secret_number_chars_max)] | UnsetType = UNSET
    exp_month: int | UnsetType = UNSET
    exp_year: int | UnsetType = UNSET
    cvc: Annotated[str, Meta(max_length=limits.secret_number_chars_max)] | UnsetType = UNSET
    token: Annotated[str, Meta(max_length=limits.identifier_chars_max)] | UnsetType = UNSET

    def __repr__(self) -> str:
        """Show nothing of the card."""
        return "CardParams(...)"


class CustomerBalanceParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The customer's cash balance. There is nothing to say about it."""


class PaymentMethodData(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A payment method to be created by another request."""

    type: MethodType
    card: CardParams | UnsetType = UNSET
    sepa_debit: SepaDebitParams | UnsetType = UNSET
    customer_balance: CustomerBalanceParams | UnsetType = UNSET
    billing_details: BillingDetailsParams | UnsetType = UNSET
    metadata: Metadata | None = None
    allow_redisplay: AllowRedisplay = "unspecified"


def new_card(call: Call, data: PaymentMethodData, *, param: str) -> NewCard | TokenCard:
    """Return the card of a payment method to be created. `param` is the parameter around `card`.

    Raises: InvalidRequest, CardDeclined.
    """
    for other in _METHOD_TYPES:
        if other != data.type and getattr(data, other) is not UNSET:
            raise InvalidRequest(
                f"The type of the payment method is {data.type}.",
                param=f"{param}[{other}]" if param else other,
            )
    if data.type == "sepa_debit":
        return _new_bank_account(call, data, param=param)
    if data.type == "customer_balance":
        return NewCard(
            type=data.type,
            billing_details=billing_details(data.billing_details),
            metadata=data.metadata or {},
            allow_redisplay=data.allow_redisplay,
        )
    name = f"{param}[card]" if param else "card"
    if isinstance(data.card, UnsetType):
        raise _missing(name)
    if not isinstance(data.card.token, UnsetType):
        return _card_of_token(call, data, data.card, name)
    return NewCard(
        card=raw_card(call, data.card, param=name),
        param=name,
        billing_details=billing_details(data.billing_details),
        metadata=data.metadata or {},
        allow_redisplay=data.allow_redisplay,
    )


def _new_bank_account(call: Call, data: PaymentMethodData, *, param: str) -> NewCard:
    def name(*path: str) -> str:
        return path_of([param, *path] if param else list(path)) or ""

    account = _required(data.sepa_debit, name("sepa_debit"))
    details = billing_details(data.billing_details)
    for field in ("name", "email"):
        if getattr(details, field) is None:
            raise InvalidRequest(
                f"A debit needs the {field} of the account's holder.",
                code="parameter_missing",
                param=name("billing_details", field),
            )
    return NewCard(
        type="sepa_debit",
        sepa_debit=bank_account_params.sepa_debit(call, account, param=name("sepa_debit", "iban")),
        billing_details=details,
        metadata=data.metadata or {},
        allow_redisplay=data.allow_redisplay,
    )


def choice(call: Call, payment_method: str) -> Choice:
    """Return a payment method's identifier, or the card or account of a magic one. A source names one too.

    Raises: NotFound for a malformed identifier, CardDeclined for a magic one in live mode.
    """
    number = cards.MAGIC_PAYMENT_METHODS.get(payment_method)
    if number is not None:
        return _magic(call, number)
    if kinds.could_be(kinds.PAYMENT_METHOD, payment_method):
        return payment_method
    number = iban_table.MAGIC_PAYMENT_METHODS.get(payment_method)
    return named(payment_method) if number is None else bank_account_params.magic_account(call, number)


def named(identifier: str) -> str:
    """Return the identifier of a payment method that a request names, as a source perhaps.

    Raises: NotFound for a malformed one.
    """
    if kinds.could_be(kinds.PAYMENT_METHOD, identifier):
        return identifier
    if kinds.could_be(kinds.SOURCE, identifier):
        return sources.method_id(identifier)
    raise kinds.absent(kinds.PAYMENT_METHOD, identifier)


class MethodParams(Protocol):
    """Params that may choose a payment method, by its identifier or by its data."""

    @property
    def payment_method(self) -> str | UnsetType | None:
        """The identifier, None to unset it."""

    @property
    def payment_method_data(self) -> PaymentMethodData | UnsetType:
        """The data of a payment method to be created."""


def chosen(call: Call, params: MethodParams) -> Choice | None:
    """Return the payment method that a request chooses, if it does. Raises: as `choice` and `new_card`."""
    if not isinstance(params.payment_method_data, UnsetType):
        if params.payment_method is not UNSET:
            raise refuse_together("payment_method", "payment_method_data")
        return new_card(call, params.payment_method_data, param="payment_method_data")
    if isinstance(params.payment_method, str):
        return choice(call, params.payment_method)
    return None


class ConfirmationParams(MethodParams, Protocol):
    """Params that may choose a payment method by a confirmation token too."""

    @property
    def confirmation_token(self) -> str | UnsetType:
        """The identifier of the token."""


def confirmation_token(params: ConfirmationParams) -> str | None:
    """Return the confirmation token of a request, if it has one. Raises: InvalidRequest, NotFound."""
    if isinstance(params.confirmation_token, UnsetType):
        return None
    for name in ("payment_method", "payment_method_data"):
        if getattr(params, name) is not UNSET:
            raise refuse_together(name, "confirmation_token")
    return kinds.check(kinds.CONFIRMATION_TOKEN, params.confirmation_token)


def token_card(
    call: Call, token: str, *, param: str, metadata: Mapping[str, str] = {}
) -> NewCard | TokenCard:
    """Return what a token stands for, a magic one or one that a command looks up.

    Raises: InvalidRequest for a malformed one, CardDeclined for a magic one in live mode.
    """
    number = cards.MAGIC_TOKENS.get(token)
    if number is not None:
        return NewCard(card=magic_card(call, number), param=param, metadata=metadata)
    return TokenCard(token=stored_token(token, param=param), token_param=param, metadata=metadata)


def stored_token(token: str, *, param: str) -> str:
    """Return the identifier of a token that a command looks up. Raises: InvalidRequest if malformed."""
    if not kinds.could_be(kinds.TOKEN, token):
        raise missing_token(kinds.presentable(token), param=param)
    return token


def magic_card(call: Call, number: str) -> cards.Card:
    """Return the card of a magic payment method or token. Raises: CardDeclined in live mode."""
    return _magic(call, number).card


def raw_card(call: Call, params: CardParams, *, param: str) -> cards.Card:
    """Return the card whose data came with the request. Raises: InvalidRequest, CardDeclined."""
    name = param
    if not call.services.settings.takes_card_numbers:
        raise InvalidRequest(
            "This server takes no card numbers. Give a payment method or a token. Test mode has payment "
            "methods for all test cards, for example pm_card_visa.",
            code="raw_card_number_not_allowed",
            param=f"{name}[number]",
        )
    number, month, year = params.number, params.exp_month, params.exp_year
    if isinstance(number, UnsetType) or isinstance(month, UnsetType) or isinstance(year, UnsetType):
        needed = {"number": number, "exp_month": month, "exp_year": year}
        raise _missing(*(f"{name}[{field}]" for field, value in needed.items() if value is UNSET))
    digits = _checked_number(number, f"{name}[number]")
    # That of a card which goes to a processor was checked with its route.
    sent = call.routed.card if isinstance(call.routed, Routed) else None
    exp_year = card_expiry.full_year(call, month, year, prefix=name) if sent is None else sent.exp_year
    if not isinstance(params.cvc, UnsetType):
        # Only an American Express card has four digits.
        check_cvc(params.cvc, 4 if digits.startswith(("34", "37")) else 3, param=f"{name}[cvc]")
    if call.routed is not None:
        # The processor knows which cards there are.
        return cards.Card(
            brand=card_numbers.brand_of(digits),
            last4=digits[-4:],
            exp_month=month,
            exp_year=exp_year,
            fingerprint=cards.fingerprint(digits, call.credentials.fingerprint_key),
            behaviour="success",
            funding="unknown",
            country=None,
        )
    if digits not in cards.NUMBERS:
        raise unknown_number(call)
    refuse_in_live_mode(call)
    return cards.test_card(
        digits,
        exp_month=month,
        exp_year=exp_year,
        cvc_given=not isinstance(params.cvc, UnsetType),
        fingerprint_key=call.credentials.fingerprint_key,
    )


def card_data(call: Call, params: CardParams, *, param: str, holder: str | None) -> CardData | None:
    """Return a card as a processor needs it, None if the request has no valid number and month.

    `raw_card` says what is wrong with it. Raises: CardDeclined for an invalid month or year.
    """
    number, month, year = params.number, params.exp_month, params.exp_year
    if isinstance(number, UnsetType) or isinstance(month, UnsetType) or isinstance(year, UnsetType):
        return None
    return CardData(
        number=_digits(number),
        exp_month=month,
        exp_year=card_expiry.full_year(call, month, year, prefix=param),
        cvc=None if isinstance(params.cvc, UnsetType) else params.cvc,
        holder=holder,
    )


def canonical(data: Part) -> Part:
    """Return a card, or the data of a payment method, in canonical form: itself if that is how it came."""
    if isinstance(data, PaymentMethodData):
        if data.sepa_debit is not UNSET:
            data = msgspec.structs.replace(data, sepa_debit=canonical(data.sepa_debit))
        if data.card is UNSET or (card := canonical(data.card)) is data.card:
            return data
        return msgspec.structs.replace(data, card=card)
    if isinstance(data, SepaDebitParams):
        return data.canonical()
    number, year = getattr(data, "number", UNSET), getattr(data, "exp_year", UNSET)
    spelled: dict[str, object] = {}
    if isinstance(number, str) and (digits := _digits(number)) != number:
        spelled["number"] = digits
    if isinstance(year, int) and (full := card_expiry.in_four_digits(year)) != year:
        spelled["exp_year"] = full
    return msgspec.structs.replace(data, **spelled) if spelled else data


def _card_of_token(call: Call, data: PaymentMethodData, card: CardParams, name: str) -> NewCard | TokenCard:
    if any(not isinstance(value, UnsetType) for value in (card.number, card.exp_month, card.exp_year)):
        raise InvalidRequest("Give either a token or the card's data, not both.", param=f"{name}[token]")
    found = token_card(call, str(card.token), param=f"{name}[token]", metadata=data.metadata or {})
    details = data.billing_details
    is_given = not isinstance(details, UnsetType)
    return msgspec.structs.replace(
        found,
        allow_redisplay=data.allow_redisplay,
        **({"billing_details": billing_details(details)} if is_given else {}),
    )


def _required(value: _Value | UnsetType, param: str) -> _Value:
    if isinstance(value, UnsetType):
        raise _missing(param)
    return value


def _missing(*names: str) -> InvalidRequest:
    lead = "Missing required params" if len(names) > 1 else "Missing required param"
    return InvalidRequest(f"{lead}: {', '.join(names)}.", code="parameter_missing", param=names[0])


def _digits(number: str) -> str:
    """Return a card's number without what clients write between its groups."""
    return number.replace(" ", "").replace("-", "")


def _checked_number(number: str, param: str) -> str:
    digits = _digits(number)
    if _NUMBER.fullmatch(digits) is None or not cards.passes_luhn(digits):
        raise CardDeclined("Your card number is incorrect.", code="incorrect_number", param=param)
    return digits


def check_cvc(cvc: str, digits_max: int, *, param: str) -> None:
    """Raise CardDeclined for a security code that no card has. `digits_max` is 3 or 4."""
    if _CVC.fullmatch(cvc) is None or len(cvc) > digits_max:
        raise CardDeclined("Your card's security code is invalid.", code="invalid_cvc", param=param)


# The same few are used again and again: by number and key, the day and the card as it was on that day.
_magic_cards: dict[tuple[str, bytes], tuple[int, NewCard]] = {}


def _magic(call: Call, number: str) -> NewCard:
    credentials = call.credentials
    if credentials.scope.livemode:
        refuse_in_live_mode(call)
    day, name = call.services.clock.now_ms() // _DAY_MS, (number, credentials.fingerprint_key)
    kept = _magic_cards.get(name)
    if kept is not None and kept[0] == day:
        return kept[1]
    if len(_magic_cards) >= limits.magic_cards_kept:
        _magic_cards.clear()
    made = _magic_choice(number, day, credentials.fingerprint_key)
    _magic_cards[name] = (day, made)
    return made


def _magic_choice(number: str, day: int, fingerprint_key: bytes) -> NewCard:
    """Return a magic card on a day since 1970. It expires in the third year from then on."""
    card = cards.test_card(
        number,
        exp_month=_MAGIC_EXPIRY_MONTH,
        exp_year=cards.year_and_month(day * _DAY_S)[0] + _MAGIC_EXPIRY_YEARS_AHEAD,
        cvc_given=True,
        fingerprint_key=fingerprint_key,
    )
    return NewCard(card=card)
