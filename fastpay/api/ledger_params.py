"""Parameters that several resources of the ledger share."""

from typing import Annotated

from msgspec import Meta

from fastpay import limits

# Seconds since 1970 that the database can hold.
Second = Annotated[int, Meta(ge=0, le=limits.second_max)]
