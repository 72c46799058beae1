"""URLs of challenges: the page on which a cardholder authenticates, and the merchant's page after it."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

from msgspec import UnsetType

from fastpay import limits
from fastpay.api.context import Call
from fastpay.engine.challenge_ports import Challenge
from fastpay.errors import InvalidRequest

PATH = "/authenticate/"

# What a Location header and a URI may contain (RFC 3986 2).
_URL = re.compile(r"https?://[!#$%&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~]+", re.ASCII | re.IGNORECASE)


def page(
    call: Call, return_url: str | UnsetType, *, use_stripe_sdk: bool, has_token: bool = False
) -> str | None:
    """Return the URL of the page for one attempt, without the identifier of its intent.

    None if the client shows the challenge itself: it gave no URL to return to, or said so. `has_token` means
    that there is a confirmation token, which may have that URL. Raises: InvalidRequest.
    """
    if not isinstance(return_url, UnsetType):
        check_return_url(return_url)
    elif not has_token:
        return None
    if use_stripe_sdk:
        return None
    until_s = call.services.clock.now_ms() // 1000 + limits.challenge_valid_s
    return _address(call) + PATH + call.services.challenges.seal(Challenge(call.scope, until_s))


def check_return_url(url: str) -> None:
    """Raise InvalidRequest unless a browser can be redirected there."""
    try:
        is_valid = _URL.fullmatch(url) is not None and urlsplit(url).port != 0 and urlsplit(url).hostname
    except ValueError:
        is_valid = False
    if not is_valid:
        raise InvalidRequest(
            "This is not a valid URL. Give an absolute one that begins with https:// or http://, with other "
            "characters than those of URLs percent-encoded.",
            code="url_invalid",
            param="return_url",
        )


def with_result(url: str, result: Mapping[str, str]) -> str:
    """Return a URL with more parameters. What it had stays in front of them, its fragment behind."""
    target, mark, fragment = url.partition("#")
    separator = "" if target.endswith(("?", "&")) else "&" if "?" in target else "?"
    return f"{target}{separator}{urlencode(result)}{mark}{fragment}"


def _address(call: Call) -> str:
    """Return the address at which browsers reach this server, as the request says if no setting does."""
    configured = call.services.settings.public_url
    if configured is not None:
        return configured
    asgi = call.asgi
    host = call.headers.get("host") or "{}:{}".format(*asgi["server"])
    return f"{asgi['scheme']}://{host}{asgi.get('root_path', '')}"
