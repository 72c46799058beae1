"""The page about the codes of errors, which `doc_url` of an error leads to."""

from collections.abc import Mapping
from html import escape

from fastpay.errors import CODES, DECLINE_CODES

PATH = "/docs/errors"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastpay error codes</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/page.css">
</head>
<body>
<main>
<h1>Error codes</h1>
<p>An error has a <code>code</code>. Later versions may have more of them.
<a href="/docs">The reference</a> says which requests there are.</p>
{codes}
<h2>Reasons of an issuer</h2>
<p>An error about a declined card has a <code>decline_code</code>, too.</p>
{reasons}
</main>
</body>
</html>
"""


def make() -> bytes:
    """Return the page. Each code is a fragment of it."""
    reasons = {f"decline-{name}": (name, meaning) for name, meaning in DECLINE_CODES.items()}
    codes = {name: (name, meaning) for name, meaning in CODES.items()}
    return _PAGE.format(codes=_list(codes), reasons=_list(reasons)).encode()


def address(public_url: str | None) -> str | None:
    """Return where the page is, None if no setting says where this server is."""
    return None if public_url is None else public_url + PATH


def url_of(public_url: str | None, code: str | None) -> str | None:
    """Return where a code is explained, None if no setting says where this server is, or it has no code."""
    return None if public_url is None or code not in CODES else f"{public_url}{PATH}#{code}"


def _list(meanings: Mapping[str, tuple[str, str]]) -> str:
    items = (
        f'<dt id="{fragment}"><code>{name}</code></dt>\n<dd>{escape(meaning)}</dd>'
        for fragment, (name, meaning) in meanings.items()
    )
    return "<dl>\n" + "\n".join(items) + "\n</dl>"
