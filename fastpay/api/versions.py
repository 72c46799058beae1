"""Stripe-Version: which values are versions of the dialect."""

import functools
import re
from datetime import date

from fastpay import limits
from fastpay.domain.kinds import presentable
from fastpay.errors import InvalidRequest

VERSION_CHARS_MAX = 64
VERSION_PATTERN = r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:\.[a-z]+)?(?:; ?[a-z0-9_]+=v[0-9]+)*"
_VERSION = re.compile(VERSION_PATTERN, re.ASCII)


def check_version(version: str | None) -> None:
    """Raise InvalidRequest unless the header is missing or says a version of the dialect."""
    if version is not None and version_echo(version) is None:
        raise InvalidRequest(
            f"Stripe-Version is '{presentable(version)}'. It must be a date, for example 2025-09-30 "
            "or 2025-09-30.clover. Every version gets the same shapes."
        )


def version_echo(version: str) -> tuple[bytes, bytes] | None:
    """Return the header with which an answer repeats a version of the dialect, None for any other text.

    A version is a date, with what releases and previews of the dialect put behind it.
    """
    return _echo(version) if len(version) <= VERSION_CHARS_MAX else None


@functools.lru_cache(maxsize=limits.versions_kept)
def _echo(version: str) -> tuple[bytes, bytes] | None:
    found = _VERSION.fullmatch(version)
    if found is None:
        return None
    try:
        date.fromisoformat(found[1])
    except ValueError:
        return None
    return b"stripe-version", version.encode()
