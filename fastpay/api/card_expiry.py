"""Month and year in which a card expires, as requests say them."""

from msgspec import UnsetType

from fastpay.api.context import Call
from fastpay.domain import cards

_EXPIRY_YEAR_MIN = 2000
_EXPIRY_YEARS_AHEAD_MAX = 50
# Whatever year it is, these are not too far ahead: most cards need no look at the clock.
_EXPIRY_YEAR_NEAR = 2050


def full_year(call: Call, month: int, year: int, *, prefix: str) -> int:
    """Return the year in four digits. `prefix` is the parameter that contains month and year.

    The command checks whether the card has expired. Raises: CardDeclined for an invalid month or year.
    """
    check_month(month, prefix=prefix)
    full = in_four_digits(year)
    if _EXPIRY_YEAR_MIN <= full <= _EXPIRY_YEAR_NEAR:
        return full
    if not _EXPIRY_YEAR_MIN <= full <= this_year(call) + _EXPIRY_YEARS_AHEAD_MAX:
        raise cards.expiry_refused("year", param=prefix)
    return full


def changed_expiry(
    call: Call, month: int | UnsetType, year: int | UnsetType, *, prefix: str
) -> tuple[int | None, int | None]:
    """Return the new month and year, checked as far as one can be checked without the other."""
    if isinstance(month, UnsetType):
        return None, None if isinstance(year, UnsetType) else full_year(call, 12, year, prefix=prefix)
    if isinstance(year, UnsetType):
        check_month(month, prefix=prefix)
        return month, None
    return month, full_year(call, month, year, prefix=prefix)


def check_month(month: int, *, prefix: str) -> None:
    """Raise CardDeclined for an invalid month."""
    if not 1 <= month <= 12:
        raise cards.expiry_refused("month", param=prefix)


def in_four_digits(year: int) -> int:
    """Return a year that may be written in two digits."""
    return year + 2000 if 0 <= year < 100 else year


def this_year(call: Call) -> int:
    """Return the year that it is."""
    return cards.year_and_month(call.services.clock.now_ms() // 1000)[0]
