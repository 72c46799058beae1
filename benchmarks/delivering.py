"""What a process does for events of a webhook endpoint that it has read: it signs each twice, and sends it.

Then it notes the answers, and puts the attempts and the position into the columns that are stored together.
The log, the database and the sockets are left out.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import uvloop

from benchmarks import samples
from benchmarks.in_memory import loop_apart
from fastpay.clock import SystemClock
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.relay.channel import Channel
from fastpay.engine.relay.event_log import EventLog, Form, LogPage
from fastpay.engine.relay.lease_ports import Lease
from fastpay.engine.relay.peak import Peak
from fastpay.engine.relay.ports import EndpointConfiguration, EndpointName
from fastpay.engine.relay.progress import Logged
from fastpay.engine.relay.recorder import Recorder
from fastpay.engine.relay.reports import Reports
from fastpay.engine.relay.shared import Shared
from fastpay.engine.relay.slots import Slots
from fastpay.engine.relay.window import Spare
from fastpay.outbound.address_policy import AddressPolicy
from fastpay.outbound.webhooks import WebhookDeliverer, WebhookSettings
from fastpay.store.pool import ReaderPool
from fastpay.store.relay import PostgresLeases

if TYPE_CHECKING:
    import aiohttp

EVENTS = 16
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_NAME = EndpointName(samples.SCOPE, "we_" + "2" * 32)
# As large as the event of a payment.
_BODY = b'{"data":"' + b"e" * 2_000 + b'"}'


class _Transport:
    """Answers each request at the next turn of the loop."""

    def __init__(self, protocol: Any) -> None:
        self._protocol = protocol

    def write(self, data: bytes) -> None:
        asyncio.get_running_loop().call_soon(self._protocol.data_received, _ANSWER)

    def is_closing(self) -> bool:
        return False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def close(self) -> None:
        asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close


class _Deliverer(WebhookDeliverer):
    """Its connections have no sockets."""

    def _open(self, policy: AddressPolicy) -> "aiohttp.BaseConnector":
        import aiohttp  # noqa: PLC0415  as the deliverer does

        class Connector(aiohttp.BaseConnector):
            async def _create_connection(self, *_: Any) -> Any:
                protocol = self._factory()
                protocol.connection_made(cast("asyncio.Transport", _Transport(protocol)))
                return protocol

        return Connector()


class _Log:
    """Has the events up to `end`."""

    def __init__(self) -> None:
        self.end = 0

    async def read(
        self, scope: object, after: int, types: frozenset[str], form: Form, *, limit: int = 0
    ) -> LogPage:
        numbers = range(after + 1, self.end + 1)
        found = [Logged(one, f"evt_{one:032x}", "charge.succeeded", f"{one:032x}", _BODY) for one in numbers]
        return LogPage(found, self.end, self.end)


class _Pool:
    """Stores everything."""

    async def fetch(self, statement: str, *arguments: Any) -> list[dict[str, int]]:
        return [{"number": number} for number, _ in enumerate(arguments[1], 1)]


@contextmanager
def delivering() -> Iterator[Callable[[], int]]:
    """Give a function that delivers `EVENTS` new events and returns how far deliveries are."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        clock, log = SystemClock(), _Log()
        settings = WebhookSettings(allowed_networks=("127.0.0.0/8",))
        # Without certificates, which take long to load: there is no TLS.
        deliverer = _Deliverer(settings, clock=clock, tls=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        store = PostgresLeases(cast("ReaderPool", _Pool()))
        recorder = Recorder(store, "3" * 32, clock=clock, fenced=lambda channel: None)

        async def nothing(*_: object) -> None:
            """Find no replay, and take every report."""

        shared = Shared(
            clock=clock,
            deliverer=deliverer,
            log=cast("EventLog", log),
            slots=Slots(),
            spare=Spare(),
            peak=Peak(lambda: 0),
            recorder=recorder,
            reports=Reports(nothing),
            may_send=lambda: True,
            find_replay=nothing,
        )
        endpoint = WebhookEndpoint(
            id=_NAME.endpoint_id, created=1, url="http://127.0.0.1/hook", enabled_events=("*",)
        )
        secrets = (("whsec_" + "a" * 43 + "=", None),)
        configuration = EndpointConfiguration(
            scope=samples.SCOPE, endpoint=endpoint, version=1, secrets=secrets
        )

        async def begin() -> Channel:
            return Channel(shared, Lease(name=_NAME, fence=1), configuration)

        channel = runner.run(begin())

        async def deliver() -> int:
            log.end += EVENTS
            channel.heard(log.end)
            while channel.progress.delivered_through < log.end:  # noqa: ASYNC110  a turn of the loop each
                await asyncio.sleep(0)
            await recorder.flush()
            return channel.progress.delivered_through

        def run() -> int:
            with loop_apart():
                return runner.run(deliver())

        yield run
        runner.run(deliverer.close())
