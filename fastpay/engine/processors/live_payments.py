"""What the API needs of processors."""

import msgspec

from fastpay.engine.processors.actions import CardholderActions
from fastpay.engine.processors.calls import ProcessorCalls
from fastpay.engine.processors.notices import ProcessorNotices
from fastpay.engine.processors.settling import Settling


class LivePayments(msgspec.Struct, frozen=True):
    """Calls to processors on behalf of requests, their webhooks, their settlements, and their cardholders."""

    calls: ProcessorCalls
    notices: ProcessorNotices
    settling: Settling
    actions: CardholderActions
