"""The client address and scheme that a proxy in front names, trusted only from the operator's proxies."""

import functools
import ipaddress
from collections.abc import Callable, Iterable
from typing import Any

from fastpay import limits
from fastpay.errors import ConfigurationError

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def create_reader(trusted: Iterable[str]) -> Callable[[dict[str, Any]], None] | None:
    """Return a function that corrects a scope's `client` and `scheme`, or None if no proxy is trusted.

    `trusted`: addresses, networks, or "unix" for every client of the Unix socket. Raises:
    ConfigurationError for anything else.
    """
    names = set(trusted)
    if not names:
        return None
    trusts_unix = "unix" in names
    networks = _read_networks(names)

    def read(scope: dict[str, Any]) -> None:
        client = scope["client"]
        if trusts_unix if client is None else _is_trusted(_parse(client[0]), networks):
            _apply(scope, networks)

    return read


def create_check(trusted: Iterable[str]) -> Callable[[str | None], bool]:
    """Return a function that says whether a host is a trusted proxy; None stands for a Unix socket.

    Raises: ConfigurationError for an entry that is not an address, a network or "unix".
    """
    names = set(trusted)
    networks = _read_networks(names)
    if not networks:
        return lambda host: host is None and "unix" in names

    def check(host: str | None) -> bool:
        return "unix" in names if host is None else _is_trusted(_parse(host), networks)

    return functools.lru_cache(limits.addresses_known_max)(check)


def _read_networks(names: Iterable[str]) -> list[_Network]:
    try:
        return [ipaddress.ip_network(name) for name in names if name != "unix"]
    except ValueError as error:
        raise ConfigurationError(
            f"trusted_proxies: {error}; give addresses, networks, or unix for the Unix socket"
        ) from error


def _apply(scope: dict[str, Any], networks: list[_Network]) -> None:
    fields: dict[bytes, list[bytes]] = {b"x-forwarded-for": [], b"x-forwarded-proto": []}
    for name, value in scope["headers"]:
        if name in fields:
            fields[name].append(value)
    proto = b",".join(fields[b"x-forwarded-proto"]).rpartition(b",")[2].strip()
    if proto in {b"http", b"https"}:
        scope["scheme"] = proto.decode()
    # Read from the right: each trusted proxy appended the address it saw. The first address that is not a
    # trusted proxy is the client. Entries further left were written by that client.
    for entry in reversed(b",".join(fields[b"x-forwarded-for"]).split(b",")):
        address = _parse(entry.strip().decode("latin-1"))
        if address is None:
            return
        scope["client"] = (str(address), 0)
        if not _is_trusted(address, networks):
            return


def _parse(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_trusted(address: _Address | None, networks: list[_Network]) -> bool:
    return address is not None and any(address in network for network in networks)
