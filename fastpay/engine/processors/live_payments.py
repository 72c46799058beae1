"""What the API needs of processors."""

import msgspec

from fastpay.engine.processors.calls import ProcessorCalls
from fastpay.engine.processors.notices import ProcessorNotices


class LivePayments(msgspec.Struct, frozen=True):
    """Calls to processors on behalf of requests, and their webhooks."""

    calls: ProcessorCalls
    notices: ProcessorNotices
