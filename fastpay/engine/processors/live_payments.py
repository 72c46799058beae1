"""What the API needs of processors."""

import msgspec

from fastpay.engine.processors.calls import ProcessorCalls
from fastpay.engine.processors.notices import ProcessorNotices
from fastpay.engine.processors.settling import Settling


class LivePayments(msgspec.Struct, frozen=True):
    """Calls to processors on behalf of requests, their webhooks, and their settlements."""

    calls: ProcessorCalls
    notices: ProcessorNotices
    settling: Settling
