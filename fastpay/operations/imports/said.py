"""What all lines of an import share: a digest of what they say, and what is wrong with them."""

import hashlib
from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from fastpay.domain.identifiers import Scope

_DIGEST_BYTES = 16


class Fault(Exception):
    """What is wrong with a line."""


class Reading(Protocol):
    """What reads the attributes that all objects have."""

    scope: Scope

    def identity(self, said: Mapping[str, Any], prefix: str) -> tuple[str, int]:
        """Return the older identifier, and when the object was created. Raises: Fault."""

    def chosen(self, said: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
        """Return the attributes of these names that are set, and count the others that are."""


def digest(text: bytes) -> bytes:
    """Return the digest of a text."""
    return hashlib.blake2b(text, digest_size=_DIGEST_BYTES).digest()


def digest_of(said: Mapping[str, Any]) -> str:
    """Return the digest of a line, whatever the order of its attributes."""
    return digest(msgspec.json.encode(said, order="deterministic")).hex()
