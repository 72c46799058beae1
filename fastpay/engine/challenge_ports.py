"""What the page on which a cardholder authenticates needs from a store."""

from typing import Protocol

import msgspec

from fastpay.domain.identifiers import Scope


class Challenge(msgspec.Struct, frozen=True, gc=False):
    """Whose intent is authenticated, and until when, in seconds since 1970."""

    scope: Scope
    until_s: int


class ChallengeTokens(Protocol):
    """Makes the secret part of a page's URL. It tells nothing to anybody else, and cannot be guessed."""

    def seal(self, challenge: Challenge) -> str:
        """Return a token, another one each time."""

    def open(self, token: str) -> Challenge | None:
        """Return the challenge of a token, None if this installation has not made it."""
