"""Where the console is, as browsers see it. A passkey is good for one host."""

import ipaddress
import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_LOCAL = "localhost"


class Place(NamedTuple):
    """`rp_id` is the host that passkeys are bound to, empty if they cannot work there.

    `hint` is an address at which they would, empty if none is known.
    """

    rp_id: str
    origins: tuple[str, ...]
    hint: str = ""


def place_of(headers: Mapping[str, str], configured: str | None) -> Place:
    """Return where a request has found the console: where the settings say, or where its Host says.

    Browsers have passkeys on TLS and on localhost only, and for names, not for addresses.
    """
    if configured is not None:
        parts = urlsplit(configured)
        return Place("" if _is_address(parts.hostname or "") else parts.hostname or "", (configured,))
    host = headers.get("host", "").lower()
    if host.startswith("[") or _is_address(host.partition(":")[0]):
        address, _, port = host.removeprefix("[").replace("]", "").rpartition(":")
        is_local = _is_loopback(address)
        return Place("", (), f"http://{_LOCAL}:{port}/console/" if is_local and port.isdigit() else "")
    if not _HOST.fullmatch(host):
        return Place("", ())
    name = host.partition(":")[0]
    is_local = name == _LOCAL or name.endswith("." + _LOCAL)
    return Place(name, (f"https://{host}", f"http://{host}") if is_local else (f"https://{host}",))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback
