"""Payments of an older API, each with its charge and its refunds, and the cards that they were made with.

A payment is history: its money is in the opening balances. What is left of it can be refunded here.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fastpay import limits
from fastpay.api import common_params
from fastpay.api.decoding import decode_params
from fastpay.domain import imports, metadata, money
from fastpay.domain.cards import Card
from fastpay.domain.imports import EQUITY, HISTORY, Entry, Opening
from fastpay.domain.objects import Charge, PaymentIntent, PaymentMethod, Refund
from fastpay.operations.imports.said import Fault, Reading, digest_of

_LAST4 = re.compile(r"[0-9]{4}", re.ASCII)
_FINGERPRINT = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)
_WORD = re.compile(r"[a-z_]{1,30}", re.ASCII)
_MONTHS, _YEARS = range(1, 13), range(2000, 2100)
_OF_PAYMENTS = (
    *("amount", "amount_received", "currency", "customer", "description", "latest_charge", "metadata"),
    *("payment_method", "status"),
)
# They follow from the rest, or say what all of these payments have in common.
_IMPLIED = ("capture_method", "client_secret", "confirmation_method", "payment_method_types")
_OF_CHARGES = (
    *("amount", "amount_captured", "amount_refunded", "captured", "currency", "paid", "refunds", "status"),
    *("customer", "payment_intent", "payment_method", "payment_method_details", "description", "metadata"),
    *("disputed", "refunded"),
)
_OF_REFUNDS = (
    *("amount", "charge", "currency", "metadata", "payment_intent", "reason", "status"),
    "destination_details",
)
_REFUNDS_MAX = 10
_PREFIXES = {"customer": "cus_", "payment_method": "pm_"}


class _Described(common_params.Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a merchant wrote about an object."""

    description: common_params.Text | None = None
    metadata: common_params.Metadata | None = None


def payment_method(reading: Reading, said: Mapping[str, Any]) -> Entry:
    """Return a card, without its number. Raises: Fault, FastpayError."""
    theirs, created = reading.identity(said, PaymentMethod.prefix)
    kept = reading.chosen(said, ("card", "customer", "metadata", "type"))
    if kept.get("type") != "card":
        raise Fault("type is card")
    method = PaymentMethod(
        id=imports.own_id(reading.scope, PaymentMethod.prefix, theirs, created),
        created=created,
        card=_card(kept.get("card")),
        metadata=_described(kept).metadata or {},
    )
    return Entry(
        theirs=theirs,
        type="payment_method",
        digest=digest_of(said),
        payment_method=method,
        refers=_references(kept, "customer"),
    )


def payment(reading: Reading, said: Mapping[str, Any]) -> Sequence[Entry]:
    """Return a payment that succeeded, its charge and its refunds. Raises: Fault, FastpayError."""
    theirs, created = reading.identity(said, PaymentIntent.prefix)
    kept = reading.chosen(said, (*_OF_PAYMENTS, *_IMPLIED))
    charged = kept.get("latest_charge")
    if kept.get("status") != "succeeded" or not isinstance(charged, Mapping):
        raise Fault("status is succeeded, and latest_charge is an object: expand it")
    charge_theirs, charge_created = reading.identity(said["latest_charge"], Charge.prefix)
    of_charge = reading.chosen(said["latest_charge"], _OF_CHARGES)
    _check_settled(reading, of_charge)
    currency = money.parse_currency(str(kept.get("currency")))
    if of_charge.get("currency") != currency or of_charge.get("payment_intent", theirs) != theirs:
        raise Fault("latest_charge is of this payment, and in its currency")
    received = _amount(kept, "amount_received")
    if _amount(of_charge, "amount_captured") != received or received > _amount(kept, "amount"):
        raise Fault("amount_received is what latest_charge has captured, and at most the amount")
    refunds = _refunds(reading, of_charge, currency)
    returned = sum(_amount(one, "amount") for one in refunds)
    if returned != of_charge.get("amount_refunded", 0) or returned > received:
        raise Fault(
            "amount_refunded is the sum of the refunds, which are in latest_charge.refunds: expand them"
        )
    digest, refers = digest_of(said), _references(kept, "customer", "payment_method")
    if "payment_method" not in refers:
        raise Fault("payment_method is the older identifier of one")
    described = _described(kept)
    intent = PaymentIntent(
        id=imports.own_id(reading.scope, PaymentIntent.prefix, theirs, created),
        created=created,
        amount=_amount(kept, "amount"),
        currency=currency,
        status="succeeded",
        # Nobody has a secret of it that would be valid here.
        client_secret="",
        amount_received=received,
        description=described.description,
        latest_charge=imports.own_id(reading.scope, Charge.prefix, charge_theirs, charge_created),
        metadata=described.metadata or {},
    )
    assert intent.latest_charge is not None
    charge = Charge(
        id=intent.latest_charge,
        created=charge_created,
        amount=_amount(of_charge, "amount"),
        currency=currency,
        status="succeeded",
        payment_intent=intent.id,
        payment_method="",
        card=_card(_inner(of_charge, "payment_method_details", "card")),
        amount_captured=received,
        amount_refunded=returned,
        captured=True,
        description=intent.description,
        funds_available=True,
        metadata=_described(of_charge).metadata or {},
    )
    return [
        Entry(theirs=theirs, type="payment_intent", digest=digest, payment_intent=intent, refers=refers),
        Entry(
            theirs=charge_theirs,
            type="charge",
            digest=digest,
            charge=charge,
            opening=_opening("opening_charge", EQUITY, HISTORY, currency, received),
            refers=refers,
        ),
        *(_refund(reading, one, charge, digest, refers) for one in refunds),
    ]


def _check_settled(reading: Reading, charge: Mapping[str, Any]) -> None:
    """Raise Fault unless a charge of test mode took its money, and nobody disputes that."""
    if reading.scope.livemode:
        raise Fault(
            "payments are imported in test mode only: a live one has an attempt, and is refunded by it"
        )
    if charge.get("status") != "succeeded" or charge.get("captured") is not True:
        raise Fault("latest_charge is succeeded and captured")
    if charge.get("disputed"):
        raise Fault("latest_charge is not disputed: a dispute ends where it began")


def _refunds(reading: Reading, charge: Mapping[str, Any], currency: str) -> Sequence[Mapping[str, Any]]:
    """Return the refunds of a charge. Raises: Fault."""
    listed = charge.get("refunds", {})
    found = listed.get("data", []) if isinstance(listed, Mapping) else None
    if not isinstance(found, list) or listed.get("has_more") or len(found) > _REFUNDS_MAX:
        raise Fault(f"refunds is a list of all refunds of a charge, and of {_REFUNDS_MAX} at most")
    for one in found:
        if not isinstance(one, Mapping) or (one.get("status"), one.get("currency")) != (
            "succeeded",
            currency,
        ):
            raise Fault("each refund is succeeded, and in the currency of its payment")
    return found


def _refund(
    reading: Reading, said: Mapping[str, Any], charge: Charge, digest: str, refers: Mapping[str, str]
) -> Entry:
    theirs, created = reading.identity({"livemode": reading.scope.livemode, **said}, Refund.prefix)
    kept = reading.chosen(said, _OF_REFUNDS)
    reason = kept.get("reason")
    refund = Refund(
        id=imports.own_id(reading.scope, Refund.prefix, theirs, created),
        created=created,
        amount=_amount(kept, "amount"),
        currency=charge.currency,
        charge=charge.id,
        payment_intent=charge.payment_intent,
        status="succeeded",
        metadata=_described(kept).metadata or {},
        reason=reason if isinstance(reason, str) and _WORD.fullmatch(reason) else None,
    )
    return Entry(
        theirs=theirs,
        type="refund",
        digest=digest,
        refund=refund,
        opening=_opening("opening_refund", HISTORY, EQUITY, charge.currency, refund.amount),
        refers=refers,
    )


def _opening(kind: str, debit: str, credit: str, currency: str, amount: int) -> Opening:
    return Opening(kind=kind, debit=debit, credit=credit, currency=currency, amount=amount)


def _card(said: object) -> Card:
    """Return what is kept of a card. Raises: Fault."""
    card = said if isinstance(said, Mapping) else {}
    words = [str(card.get(name) or "unknown") for name in ("brand", "funding")]
    if not (
        _LAST4.fullmatch(str(card.get("last4")))
        and _FINGERPRINT.fullmatch(str(card.get("fingerprint")))
        and all(map(_WORD.fullmatch, words))
        and card.get("exp_month") in _MONTHS
        and card.get("exp_year") in _YEARS
    ):
        raise Fault("card has brand, last4, exp_month, exp_year and fingerprint")
    return Card(
        brand=words[0],
        last4=card["last4"],
        exp_month=card["exp_month"],
        exp_year=card["exp_year"],
        fingerprint=card["fingerprint"],
        behaviour="success",
        funding=words[1],
        country=None,
    )


def _amount(said: Mapping[str, Any], name: str) -> int:
    amount = said.get(name)
    if type(amount) is not int or not 0 < amount <= limits.amount_max:
        raise Fault(f"{name} is a whole number from 1 to {limits.amount_max}")
    return amount


def _references(said: Mapping[str, Any], *names: str) -> dict[str, str]:
    """Return the attributes of these names that name an object. Raises: Fault."""
    found = {name: said[name] for name in names if name in said}
    for name, value in found.items():
        if not (isinstance(value, str) and value.startswith(_PREFIXES[name])):
            raise Fault(f"{name} is an identifier with {_PREFIXES[name]}: do not expand it")
    return found


def _described(said: Mapping[str, Any]) -> _Described:
    """Return what the merchant wrote, by the rules of this API. Raises: FastpayError."""
    chosen = {name: said[name] for name in ("description", "metadata") if name in said}
    described = decode_params(
        _Described, content_type="application/json", body=msgspec.json.encode(chosen), query=b""
    )
    metadata.merge({}, described.metadata or {})
    return described


def _inner(said: Mapping[str, Any], *names: str) -> object:
    """Return what is inside of an object, None if it is not there."""
    found: Any = said
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found
