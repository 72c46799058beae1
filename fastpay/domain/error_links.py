"""Where an error that an object keeps is explained."""

from typing import TypeVar

import msgspec

from fastpay.domain.objects import PaymentError
from fastpay.domain.setup_objects import SetupError

_Error = TypeVar("_Error", PaymentError, SetupError)


class ErrorLinks(msgspec.Struct, frozen=True, gc=False, kw_only=True, omit_defaults=True):
    """The page about the codes of errors, and the request that failed; None if nobody says where they are.

    What fails by the clock has no request.
    """

    codes_url: str | None = None
    request_log_url: str | None = None

    def added_to(self, error: _Error) -> _Error:
        """Return the error with where it is explained."""
        doc_url = None if self.codes_url is None else f"{self.codes_url}#{error.code}"
        return msgspec.structs.replace(error, request_log_url=self.request_log_url, doc_url=doc_url)


NO_LINKS = ErrorLinks()
