"""Which addresses deliveries may go to: the public Internet, and the networks that an operator allows.

It is asked about the address that a socket is about to be connected to. So no spelling of a host leads around
it, and no change of its name in between.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Not for hosts of the public Internet. Source: the IANA registry of special-purpose addresses (RFC 6890).
_REFUSED_IPV4: Sequence[ipaddress.IPv4Network] = tuple(
    map(
        ipaddress.IPv4Network,
        (
            "0.0.0.0/8",  # this host
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carrier-grade NAT, and the metadata service of one cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # the host of a virtual machine in one cloud
            "169.254.0.0/16",  # link-local, and the metadata services of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.31.196.0/24",  # AS112
            "192.52.193.0/24",  # AMT
            "192.88.99.0/24",  # relays of 6to4
            "192.168.0.0/16",  # private
            "192.175.48.0/24",  # AS112
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
# Everything else is no global unicast address (RFC 4291 2.4): loopback, IPv4-mapped, NAT64, private,
# link-local and multicast are outside.
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")
_REFUSED_IPV6: Sequence[ipaddress.IPv6Network] = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "2001::/23",  # protocol assignments, Teredo among them
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4
            "2620:4f:8000::/48",  # AS112
            "3fff::/20",  # documentation
        ),
    )
)
# The second quarter of an ISATAP address, whose last quarter is an IPv4 address (RFC 5214 6.1).
_ISATAP = frozenset((0x0000_5EFE, 0x0200_5EFE))


class AddressRefused(OSError):
    """Deliveries do not go to this address."""


class AddressPolicy:
    """Says which addresses may be connected to. `allowed` are networks inside that may be, as an exception.

    With `only_allowed`, the public Internet may not.
    """

    def __init__(self, allowed: Iterable[str] = (), *, only_allowed: bool = False) -> None:
        self._allowed = tuple(map(ipaddress.ip_network, allowed))
        self._only_allowed = only_allowed

    def check(self, text: str) -> None:
        """Raise AddressRefused unless an address, as the operating system writes it, may be connected to."""
        try:
            address = ipaddress.ip_address(text.partition("%")[0])
        except ValueError:
            raise AddressRefused("this is not an address that webhooks may be sent to") from None
        if any(address.version == network.version and address in network for network in self._allowed):
            # The zone of a link-local address is the receiver's choice, not the operator's.
            if "%" not in text:
                return
        elif not self._only_allowed and _is_public(address):
            return
        raise AddressRefused(f"the address {address} is not one that webhooks may be sent to")

    def check_host(self, host: str) -> None:
        """Raise AddressRefused if a host is an address in any spelling that may not be connected to.

        For who does not resolve names: behind a proxy, the proxy does.
        """
        name = host.rstrip(".").lower()
        if name == "localhost" or name.endswith(".localhost"):
            raise AddressRefused("localhost is not a host that webhooks may be sent to")
        address = _address_in(name)
        if address is not None:
            self.check(address)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _REFUSED_IPV4)
    if address not in _GLOBAL_IPV6 or int(address) >> 32 & 0xFFFF_FFFF in _ISATAP:
        return False
    return not any(address in network for network in _REFUSED_IPV6)


def _address_in(name: str) -> str | None:
    """Return the address that a host is, None for a name. Numbers may be in octal, hexadecimal, or joined."""
    if ":" in name:
        return name.strip("[]")
    try:
        return socket.inet_ntoa(socket.inet_aton(name))
    except (OSError, UnicodeError):
        return None
