"""Amounts and currencies. Amounts are integers in the currency's minor unit, never floats."""

from fastpay import limits
from fastpay.errors import InvalidRequest

# The ISO 4217 codes of the dialect, in lower case.
_CODES = (
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad "
    "cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd "
    "hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl "
    "mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg "
    "qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah "
    "ugx usd uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw "
)
CURRENCIES = frozenset(_CODES.split())

# Currencies whose amounts have other than two decimals. Source: ISO 4217, and the dialect for UGX and ISK.
_WHOLE = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
_WHOLE_DIGITS_MAX = 12
_DECIMALS = dict.fromkeys(_WHOLE.split(), 0) | dict.fromkeys(("bhd", "jod", "kwd", "omr", "tnd"), 3)


def parse_currency(text: str, *, param: str = "currency") -> str:
    """Return the code in lower case. Raises: InvalidRequest for an unknown currency."""
    currency = text.lower()
    if currency not in CURRENCIES:
        raise InvalidRequest(
            "Unknown currency. Give the three-letter ISO 4217 code of a supported currency, for example usd.",
            param=param,
        )
    return currency


def fee(amount: int, *, basis_points: int, fixed: int) -> int:
    """Return the platform's fee on `amount`: hundredths of a percent, rounded half up, plus a fixed part.

    The fee is at most the amount.
    """
    found = (amount * basis_points + 5_000) // 10_000 + fixed
    return found if found < amount else amount


def part_of(left: int, amount: int | None, too_large: str) -> int:
    """Return the amount, or all that is left if it is None.

    Raises: InvalidRequest with the message `too_large` above what is left.
    """
    if amount is not None and amount > left:
        raise InvalidRequest(too_large, code="amount_too_large", param="amount")
    return left if amount is None else amount


def check_amount(amount: int, *, param: str = "amount") -> int:
    """Return the amount. Raises: InvalidRequest outside the limits."""
    if amount < limits.amount_min:
        raise InvalidRequest(
            f"The amount must be at least {limits.amount_min} in the currency's smallest unit.",
            code="amount_too_small",
            param=param,
        )
    if amount > limits.amount_max:
        raise InvalidRequest(
            f"The amount must be at most {limits.amount_max} in the currency's smallest unit.",
            code="amount_too_large",
            param=param,
        )
    return amount


def decimals(currency: str) -> int:
    """Return how many digits of an amount are behind the point."""
    return _DECIMALS.get(currency, 2)


def show_amount(amount: int, currency: str) -> str:
    """Return an amount in words that are clear in every language: digits and the code."""
    places = decimals(currency)
    sign, (whole, part) = "-" if amount < 0 else "", divmod(abs(amount), 10**places)
    shown = f"{sign}{whole}.{part:0{places}}" if places else f"{sign}{whole}"
    return f"{shown} {currency.upper()}"


def read_amount(text: str, currency: str) -> int:
    """Return the amount that a person has typed, such as 19.99. Raises: InvalidRequest."""
    places = decimals(currency)
    whole, point, part = text.strip().partition(".")
    is_number = (whole + part).isascii() and (whole + part).isdigit() and whole != ""
    if not is_number or len(part) > places or (point and not part) or len(whole) > _WHOLE_DIGITS_MAX:
        example = "19.99" if places == 2 else "19." + "9" * places if places else "19"
        raise InvalidRequest(
            f"Type the amount in {currency.upper()} as digits, such as {example}.", param="amount"
        )
    return check_amount(int(whole + part.ljust(places, "0")))
