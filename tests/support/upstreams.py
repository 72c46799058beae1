"""Where a server of the dialect is that is the processor of another one."""

from dataclasses import dataclass

from fastpay.engine.processors.configuration_ports import Kind
from tests.support.servers import RunningServer
from tests.support.tenants import make_tenant


@dataclass(frozen=True)
class Address:
    """Where an upstream is, and a key of it."""

    kind: Kind
    url: str
    secret: str


def new_address(server: RunningServer) -> Address:
    """Return the address of a new tenant of a server."""
    return Address("stripe", server.url, make_tenant(server.database_url).secret)
