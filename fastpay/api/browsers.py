"""What browsers send that other clients do not: publishable keys in forms, telemetry, and an Origin."""

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from fastpay import limits
from fastpay.api.authentication import key_of
from fastpay.errors import Forbidden

# What libraries for browsers say about the page and the visitor. Nothing here uses it.
_TELEMETRY = frozenset(
    (
        b"_stripe_version",
        b"client_attribution_metadata",
        b"expected_payment_method_type",
        b"guid",
        b"is_stripe_sdk",
        b"muid",
        b"pasted_fields",
        b"payment_user_agent",
        b"referrer",
        b"sid",
        b"time_on_page",
    )
)
# They say it about the request, and about the payment method in it.
_NAME = re.compile(rb"(?:payment_method_data\[)?(\w+)\]?(?:\[.*)?", re.ASCII)
_KEY = b"key="


def refuse_secret_key(headers: Mapping[str, str]) -> None:
    """Refuse a secret key that a page sent: everybody who opens the page could read it.

    Only browsers send an Origin, and a page cannot leave it out. A page of this server may send a key of test
    mode: that is the API reference, where somebody has just typed it. Browsers say which page that is, and
    no page can (W3C Fetch Metadata 2.4). Raises: Forbidden.
    """
    if "origin" not in headers:
        return
    key = key_of(headers.get("authorization", ""))
    if key.startswith("sk_test_") and headers.get("sec-fetch-site") == "same-origin":
        return
    if key.startswith("sk_"):
        raise Forbidden(
            "This is a secret key, and the request came from a web page, where everybody can read the key. "
            "Use a publishable key in browsers, and roll this one if the page was public.",
            code="publishable_key_required",
        )


def take_key(form: bytes) -> tuple[bytes, str | None]:
    """Return a form without its parameter `key`, and the Authorization header that it stands for.

    Only a publishable key may come this way: forms of browsers hold no secrets. None if there is no such key.
    """
    if _KEY not in form or form.count(b"&") >= limits.form_fields_max:
        return form, None
    pairs = form.split(b"&")
    keys = [pair for pair in pairs if pair.startswith(_KEY)]
    if len(keys) != 1 or not keys[0].startswith(_KEY + b"pk_"):
        return form, None
    pairs.remove(keys[0])
    return b"&".join(pairs), f"Bearer {keys[0].removeprefix(_KEY).decode('latin-1')}"


def without_telemetry(form: bytes) -> bytes:
    """Return a form without what libraries for browsers add to every request."""
    if form.count(b"&") >= limits.form_fields_max:
        # Decoding refuses it.
        return form
    return b"&".join(pair for pair in form.split(b"&") if not _is_telemetry(pair))


def _is_telemetry(pair: bytes) -> bool:
    found = _NAME.fullmatch(unquote_to_bytes(pair.partition(b"=")[0]))
    return found is not None and found[1] in _TELEMETRY
