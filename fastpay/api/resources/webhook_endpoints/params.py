"""Parameters of webhook endpoints, and the checks of what cannot be said by a type."""

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal
from urllib.parse import urlsplit

from msgspec import UNSET, Meta, UnsetType

from fastpay import limits
from fastpay.api.common_params import Identifier, Metadata, Params, Part, Text, told
from fastpay.api.list_params import ListParams
from fastpay.api.resources.events import EventType, Sequence48
from fastpay.api.suggestions import nearest
from fastpay.domain import events
from fastpay.errors import InvalidRequest

Url = Annotated[str, Meta(min_length=1, max_length=limits.url_chars_max)]
EventTypes = Annotated[tuple[EventType, ...], Meta(min_length=1, max_length=limits.event_types_max)]
# A version of the dialect: a date, and since 2024 a name. The shape that is served is one.
ApiVersion = Annotated[
    str,
    Meta(
        pattern=r"^\d{4}-\d{2}-\d{2}(\.[a-z]{1,32})?$(?!\n)",
        extra=told("a date, for example 2025-09-30 or 2025-09-30.clover"),
    ),
]
Rate = Annotated[int, Meta(ge=1, le=limits.webhook_requests_per_second_max)]
Overlap = Annotated[int, Meta(ge=0, le=limits.webhook_overlap_s_max)]

# A token of RFC 9110 5.6.2, and what may be between the ends of a value (5.5).
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}", re.ASCII)
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?", re.ASCII)
# What fastpay sends itself, and what is between two neighbours only (RFC 9110 7.6.1).
_OWN_HEADERS = frozenset(
    (
        *("accept", "accept-encoding", "connection", "date", "expect", "forwarded", "host", "http2-settings"),
        *("keep-alive", "origin", "stripe-signature", "te", "trailer", "transfer-encoding", "upgrade"),
        *("user-agent", "via"),
    )
)
# What has events of ours, and types that the dialect defines there for what is not served.
_GROUPS = frozenset(name.partition(".")[0] for name in events.TYPES)
_TYPES_ELSEWHERE = (
    *("customer.bank_account.", "customer.discount.", "customer.source.expiring", "customer.subscription."),
    *(
        "customer.tax_id.",
        "payment_method.automatically_updated",
        "payment_method.card_automatically_updated",
    ),
)
_OWN_HEADER_PREFIXES = ("content-", "fastpay-", "proxy-", "webhook-", "x-forwarded-")


class SettingsParams(Part, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events are delivered."""

    headers: dict[str, str] | UnsetType | None = UNSET
    order: Literal["parallel", "object", "strict"] | UnsetType = UNSET
    payload: Literal["full", "thin"] | UnsetType = UNSET
    requests_per_second: Rate | UnsetType | None = UNSET


class FirstSettingsParams(SettingsParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How events are delivered, and which is the first."""

    start_after_sequence: Sequence48 | UnsetType = UNSET


class CreateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Create a webhook endpoint."""

    creates: ClassVar[bool] = True

    enabled_events: EventTypes
    url: Url
    api_version: ApiVersion | UnsetType = UNSET
    connect: bool | UnsetType = UNSET
    description: Text | UnsetType | None = UNSET
    fastpay: FirstSettingsParams | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class UpdateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Update a webhook endpoint."""

    description: Text | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET
    enabled_events: EventTypes | UnsetType = UNSET
    fastpay: SettingsParams | UnsetType = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    url: Url | UnsetType = UNSET


class RotateParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Make a new secret. The older ones sign as well for some seconds."""

    creates: ClassVar[bool] = True

    overlap_seconds: Overlap = 0


class ReplayParams(Params, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Deliver again a range of the sequence, or one event."""

    creates: ClassVar[bool] = True

    event: Identifier | UnsetType = UNSET
    from_sequence: Annotated[int, Meta(ge=1, lt=2**48)] | UnsetType = UNSET
    to_sequence: Annotated[int, Meta(ge=1, lt=2**48)] | UnsetType = UNSET
    types: Annotated[tuple[EventType, ...], Meta(max_length=limits.event_types_max)] = ()


class AttemptListParams(ListParams, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Attempts, those that succeeded or not, of one event or of one number of the sequence."""

    event: Identifier | UnsetType = UNSET
    sequence: Sequence48 | UnsetType = UNSET
    success: bool | UnsetType = UNSET


def check_event_types(types: Sequence[str]) -> None:
    """Refuse types of events that never come because there are none. Raises: InvalidRequest.

    Types of what is not served are accepted: an integration may name them, and they just never come.
    """
    for position, name in enumerate(types):
        group = name.partition(".")[0]
        if group in _GROUPS and not events.matching(name) and not name.startswith(_TYPES_ELSEWHERE):
            near = nearest(name, events.TYPES)
            hint = f" Did you mean {near}?" if near else ""
            raise InvalidRequest(
                f"There are no events of the type '{name}'.{hint}", param=f"enabled_events[{position}]"
            )


def check_url(url: str, *, must_be_https: bool) -> str:
    """Return a URL that events can be sent to. Raises: InvalidRequest."""
    try:
        parts = urlsplit(url)
        is_good = parts.port != 0 and bool(parts.hostname) and parts.scheme in {"http", "https"}
    except ValueError:
        is_good = False
    if not is_good or not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise InvalidRequest(
            "A webhook endpoint has a URL such as https://shop.example/webhooks, in ASCII.",
            code="url_invalid",
            param="url",
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidRequest(
            "The URL must not contain a user or a password. Give them in fastpay[headers][Authorization].",
            code="url_invalid",
            param="url",
        )
    if must_be_https and parts.scheme != "https":
        raise InvalidRequest(
            "Live events are sent over HTTPS only: the URL must begin with https://.",
            code="url_invalid",
            param="url",
        )
    return url


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return headers that may be sent beside our own. Raises: InvalidRequest."""
    if len(headers) > limits.webhook_headers_max:
        raise _refuse(f"There are {len(headers)} headers. There may be at most {limits.webhook_headers_max}.")
    if len({name.lower() for name in headers}) < len(headers):
        raise _refuse("Each header may be given once; upper and lower case are the same.")
    for name, value in headers.items():
        lower = name.lower()
        if _HEADER_NAME.fullmatch(name) is None:
            raise _refuse("The name of a header has 1 to 64 letters, digits and hyphens.")
        if lower in _OWN_HEADERS or lower.startswith(_OWN_HEADER_PREFIXES):
            raise _refuse(f"The header {name} is set by fastpay or belongs to the connection.")
        if len(value) > limits.metadata_value_chars_max or _HEADER_VALUE.fullmatch(value) is None:
            raise _refuse(
                f"The value of the header {name} must have from 1 to {limits.metadata_value_chars_max} "
                "printable ASCII characters, and no space at its ends."
            )
    return headers


def _refuse(message: str) -> InvalidRequest:
    return InvalidRequest(message, param="fastpay[headers]")
