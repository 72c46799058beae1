"""Which side answers a request: this server, or the legacy API. Pure; it knows no database and no HTTP.

The first rule that applies decides:

| rule | why |
|---|---|
| what the path, a filter or a parameter names lives where it was made | only that side has it |
| an API key that is not known here, unless the route is all fastpay's | only the other side may know it |
| the state of the route: `legacy`, `shadow`, `fastpay`, or a share | an operator chose it |

A list or balance on a split route that names no object is answered by both sides (`api/merging.py`), unless
its API key is not known here.

On a route in shadow the legacy API answers, and what this server would answer is compared with it.

An idempotency key is asked for afterwards: the side that saw it first keeps it (`engine/rollout/router.py`).
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

import msgspec

from fastpay.domain.identifiers import digits, is_well_formed, prefix_of

Side = Literal["legacy", "fastpay"]
State = Literal["legacy", "shadow", "split", "fastpay"]
LEGACY: Side = "legacy"
FASTPAY: Side = "fastpay"
# Who has answered, where it was not one side.
BOTH = "both"

# Where the digit of a UUID is that says its version (RFC 9562 4.2). All of this server's have version 7.
_VERSION_AT, _VERSION = 12, "7"
# Shares are in hundredths of a percent, so that each customer has a place that never changes.
PLACES = 10_000


class RouteState(msgspec.Struct, frozen=True):
    """The state of a route. `percent` is the share of this server if it is split.

    `change` is the number of the change that set it, 0 if none did.
    """

    state: State
    percent: int = 0
    change: int = 0


ALL_LEGACY = RouteState("legacy")


def owner_of(identifier: str) -> Side:
    """Return the side that made an object: identifiers of this server can be told from all others."""
    if is_well_formed(identifier, prefix_of(identifier)) and digits(identifier)[_VERSION_AT] == _VERSION:
        return FASTPAY
    return LEGACY


def owner_of_all(identifiers: Iterable[str]) -> Side | None:
    """Return the side of the objects that a request names, None if it names none.

    If they live on both sides, the legacy API says which of them it does not know.
    """
    owners = {owner_of(identifier) for identifier in identifiers}
    if not owners:
        return None
    return LEGACY if LEGACY in owners else FASTPAY


def choose(route: RouteState, subject: str | None) -> Side:
    """Return the side for something new. `subject` is whom the choice sticks to, None if nobody is known."""
    if route.state != "split":
        return FASTPAY if route.state == "fastpay" else LEGACY
    if subject is None:
        return LEGACY
    return FASTPAY if place_of(subject) < route.percent * PLACES // 100 else LEGACY


def place_of(subject: str) -> int:
    """Return the place of somebody among all, from 0: the same on each instance, for ever.

    So who is within 1 % is within 50 % as well, and the order of the routes plays no part.
    """
    digest = hashlib.blake2b(subject.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % PLACES
