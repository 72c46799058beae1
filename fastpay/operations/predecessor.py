"""What a starting process inherits: sockets that listen already, and whom to tell that it serves.

Two kinds of parents give sockets. systemd counts them from descriptor 3 in LISTEN_FDS, for the process that
LISTEN_PID names (sd_listen_fds(3)). An instance that is being replaced describes them in one variable:

    FASTPAY_PREDECESSOR="ready=11 public=7 admin=9"

`ready` is the end of a pipe to write to once requests are served. The variables are removed, so that no
process that this one starts believes them again.
"""

import os
import socket
from collections.abc import Mapping

from fastpay.config import PREDECESSOR_VARIABLE
from fastpay.errors import ConfigurationError

# The names of the sockets: the payment API's and the operator's.
PUBLIC, ADMIN = "public", "admin"
READY = "ready"
_FIRST_DESCRIPTOR = 3


class Inheritance:
    """The sockets by name, and the pipe to the process that this one replaces, if there is one."""

    def __init__(self, sockets: Mapping[str, socket.socket], ready: int | None) -> None:
        self._sockets = dict(sockets)
        self._ready = ready

    @property
    def has_predecessor(self) -> bool:
        """Whether this process replaces another one."""
        return self._ready is not None

    def socket_of(self, name: str) -> socket.socket | None:
        """Return the inherited socket of this name, if there is one."""
        return self._sockets.get(name)

    def tell_ready(self) -> None:
        """Tell the predecessor that requests are served, so that it leaves."""
        if self._ready is None:
            return
        ready, self._ready = self._ready, None
        try:
            os.write(ready, f"{os.getpid()}\n".encode())
        except BrokenPipeError:
            # It has ended in the meantime. Then it serves no more, as it should.
            pass
        finally:
            os.close(ready)


def inherit() -> Inheritance:
    """Take over what the environment of this process describes.

    Raises: ConfigurationError if a descriptor is not a socket that listens.
    """
    given = os.environ.pop(PREDECESSOR_VARIABLE, None)
    process, count = os.environ.pop("LISTEN_PID", None), os.environ.pop("LISTEN_FDS", None)
    names = os.environ.pop("LISTEN_FDNAMES", "")
    if given is not None:
        return _inherit_from_predecessor(given)
    if process == str(os.getpid()) and count is not None and count.isdecimal():
        return Inheritance(_sockets_of_manager(int(count), names.split(":")), None)
    return Inheritance({}, None)


def describe(descriptors: Mapping[str, int]) -> str:
    """Return the value of the variable that gives these descriptors to the next process."""
    return " ".join(f"{name}={descriptor}" for name, descriptor in descriptors.items())


def _inherit_from_predecessor(given: str) -> Inheritance:
    pairs = [part.partition("=") for part in given.split()]
    if not all(name and number.isdecimal() for name, _, number in pairs):
        raise ConfigurationError(f"{PREDECESSOR_VARIABLE} is not for operators to set; remove it")
    numbers = {name: int(number) for name, _, number in pairs}
    ready = numbers.pop(READY, None)
    if ready is not None:
        os.set_inheritable(ready, False)
    return Inheritance({name: _listening(name, number) for name, number in numbers.items()}, ready)


def _sockets_of_manager(count: int, names: list[str]) -> dict[str, socket.socket]:
    """Return systemd's sockets by their FileDescriptorName; the first is the API's if none is named so."""
    sockets = [_listening(f"{index + 1}", _FIRST_DESCRIPTOR + index) for index in range(count)]
    by_name = dict(zip(names, sockets, strict=False))
    known = {name: by_name[name] for name in (PUBLIC, ADMIN) if name in by_name}
    unnamed = [one for one in sockets if one not in known.values()]
    if PUBLIC not in known and unnamed:
        known[PUBLIC] = unnamed.pop(0)
    if unnamed:
        raise ConfigurationError(
            f"the service manager passes {count} sockets; name them with FileDescriptorName={PUBLIC} and "
            f"FileDescriptorName={ADMIN} in their .socket units"
        )
    return known


def _listening(name: str, descriptor: int) -> socket.socket:
    try:
        inherited = socket.socket(fileno=descriptor)
        if not inherited.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            inherited.detach()
            raise ConfigurationError(f"the inherited socket {name} (descriptor {descriptor}) does not listen")
    except OSError as error:
        raise ConfigurationError(
            f"the inherited descriptor {descriptor} ({name}) is no socket: {error.strerror}"
        ) from error
    inherited.set_inheritable(False)
    return inherited
