"""The HTML of challenges: plain forms with a style of their own, without scripts, pictures or cookies."""

import base64
import hashlib
from html import escape

from fastpay.domain.money import show_amount

Header = tuple[bytes, bytes]

_STYLE = """
:root { color-scheme: light; }
body { margin: 0; font: 1.125rem/1.5 system-ui, sans-serif; color: #1a1a1a; background: #f4f5f7; }
main { box-sizing: border-box; max-width: 30rem; margin: 2rem auto; padding: 1.5rem; background: #fff;
  border: 1px solid #767676; border-radius: .5rem; }
h1 { margin: 0 0 1rem; font-size: 1.5rem; line-height: 1.25; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; margin: 0 0 1rem; }
dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.note { margin: 0 0 1rem; padding: .5rem .75rem; background: #fff3cd; color: #4d3800; }
button { display: block; width: 100%; min-height: 3rem; margin: .75rem 0 0; padding: .5rem 1rem;
  font: inherit; color: #0b3d91; background: #fff; border: 2px solid #0b3d91; border-radius: .375rem;
  cursor: pointer; }
button.main { color: #fff; background: #0b3d91; }
button:focus-visible { outline: 3px solid #b35900; outline-offset: 3px; }
"""
_DIGEST = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# A form may lead anywhere: browsers apply form-action to the redirect to the merchant's page, and to those
# that follow there. No other page may show this one in a frame.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action http: https:; frame-ancestors 'none'; "
    "base-uri 'none'"
)
# The URL of the page is a secret, so no other site gets it as a referrer. Its own form says where it is from.
HEADERS: tuple[Header, ...] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"private, no-store"),
)
_BRANDS = {"amex": "American Express", "diners": "Diners Club", "jcb": "JCB", "unionpay": "UnionPay"}


def challenge(*, amount: int | None, currency: str, brand: str, last4: str, livemode: bool) -> bytes:
    """Return the page that asks. `amount` is None if a card is saved and nothing is paid."""
    title = "Confirm the use of your card" if amount is None else "Confirm your payment"
    details = [] if amount is None else [("Amount", show_amount(amount, currency))]
    details.append(("Card", f"{_BRANDS.get(brand, brand.capitalize())} ending in {last4}"))
    rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in details)
    note = "" if livemode else '<p class="note">Test mode: no money moves.</p>'
    return _page(
        title,
        f"{note}<h1>{title}</h1><dl>{rows}</dl>"
        '<form method="post"><p id="question">Is this you, and do you agree?</p>'
        '<div role="group" aria-labelledby="question">'
        '<button class="main" name="outcome" value="succeeded">Yes, confirm</button>'
        '<button name="outcome" value="failed">No, refuse</button>'
        '<button name="outcome" value="pending">Go back without an answer</button>'
        "</div></form>",
    )


def notice(title: str, text: str) -> bytes:
    """Return a page that says why nothing can be answered here."""
    return _page(title, f"<h1>{escape(title)}</h1><p>{escape(text)}</p>")


def _page(title: str, content: str) -> bytes:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta name="robots" content="noindex"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body><main>{content}</main></body></html>"
    ).encode()
