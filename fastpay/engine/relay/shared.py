"""What all channels of an instance use."""

from collections.abc import Callable

import msgspec

from fastpay.clock import Clock
from fastpay.engine.relay.event_log import EventLog
from fastpay.engine.relay.peak import Peak
from fastpay.engine.relay.ports import Deliverer
from fastpay.engine.relay.recorder import Recorder
from fastpay.engine.relay.replaying import FindReplay
from fastpay.engine.relay.reports import Reports
from fastpay.engine.relay.slots import Slots
from fastpay.engine.relay.window import Spare


class Shared(msgspec.Struct, frozen=True, kw_only=True):
    """`may_send` says whether the leases of this instance are valid now."""

    clock: Clock
    deliverer: Deliverer
    log: EventLog
    slots: Slots
    spare: Spare
    peak: Peak
    recorder: Recorder
    reports: Reports
    may_send: Callable[[], bool]
    find_replay: FindReplay
