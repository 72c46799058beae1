"""Checks before anything is started or created: the TLS pair, the address, the files."""

import errno
import os
import resource
import socket
import ssl
import stat
from collections.abc import Callable
from pathlib import Path

from fastpay import limits
from fastpay.config import Settings
from fastpay.errors import ConfigurationError
from fastpay.operations.embedded.account import require_account
from fastpay.operations.embedded.directory import has_directory
from fastpay.operations.embedded.postgres import find_wheel
from fastpay.server.forwarded import create_reader


def require_all(settings: Settings, *, is_inherited: bool = False) -> None:
    """Require everything in `REQUIREMENTS`. Raises: ConfigurationError for the first that is not met.

    With an inherited socket nothing is bound, so the address is not looked at.
    """
    for require in REQUIREMENTS.values():
        if not (is_inherited and require is require_address):
            require(settings)


def require_tls_pair(settings: Settings) -> None:
    """Load the certificate and key as a server would, if TLS is configured.

    Raises: ConfigurationError with the setting, its path and what to do.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        return
    certificate, key = _read(settings, "tls_cert"), _read(settings, "tls_key")
    if "-----BEGIN CERTIFICATE-----" not in certificate:
        raise ConfigurationError(
            f"tls_cert {settings.tls_cert} contains no certificate; give a PEM file, the server's own first"
        )
    if "PRIVATE KEY-----" not in key:
        raise ConfigurationError(f"tls_key {settings.tls_key} contains no private key; give a PEM file")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
            settings.tls_cert, settings.tls_key, password=lambda: _refuse_password(settings)
        )
    except (ssl.SSLError, OSError, ValueError) as error:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            raise ConfigurationError(
                f"tls_key {settings.tls_key} is not the key of tls_cert {settings.tls_cert}; "
                "give the key of the first certificate in it"
            ) from error
        reason = getattr(error, "reason", None) or str(error)
        raise ConfigurationError(
            f"tls_cert {settings.tls_cert} and tls_key {settings.tls_key} cannot be used ({reason}); "
            "tls_key must be the unencrypted PEM key of the first certificate in tls_cert"
        ) from error


def require_address(settings: Settings) -> None:
    """Bind the address for a moment, so that a conflict is reported before the slow part of the start.

    The address is released again; the server's own bind decides. Raises: ConfigurationError with the
    address and what to do.
    """
    if settings.unix is not None:
        _require_socket_path(settings.unix)
        return
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if settings.reuse_port:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            probe.bind((settings.host, settings.port))
            # Several sockets may bind one address as long as none of them listens.
            probe.listen(1)
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {listening_address(settings)}: {error.strerror or error}; {_advise(error)}"
            ) from error


def require_intended_ledger(settings: Settings) -> None:
    """Refuse to create a ledger in an unnamed directory while a server runs on the configured address.

    The default data directory is relative to the working directory. A command in another directory than the
    server's would create a second, empty ledger there. Raises: ConfigurationError.
    """
    named = settings.database_url is not None or os.path.isabs(settings.data_dir)
    if named or has_directory(settings.data_dir) or not _is_served(settings):
        return
    raise ConfigurationError(
        f"there is no data directory at {os.path.abspath(settings.data_dir)}, and a server listens on "
        f"{listening_address(settings)} already; to use its ledger give its --data-dir or --database-url, "
        f"to make a second ledger give --data-dir {os.path.abspath(settings.data_dir)}"
    )


def require_embedded(settings: Settings) -> None:
    """Require what the embedded PostgreSQL needs, if it is used; create nothing.

    Raises: ConfigurationError.
    """
    if settings.database_url is None:
        find_wheel()
        require_account(Path(settings.data_dir) / "postgresql")


def require_ready_file(settings: Settings) -> None:
    """Require that the ready file can be written, if one is configured. Raises: ConfigurationError."""
    if settings.ready_file is None:
        return
    folder = os.path.dirname(os.path.abspath(settings.ready_file))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"cannot write the ready file {settings.ready_file}: {folder} is not a directory that this user "
            "may write to; create it, or give another --ready-file"
        )


def require_proxies(settings: Settings) -> None:
    """Require that every trusted proxy is an address, a network or `unix`. Raises: ConfigurationError."""
    create_reader(settings.trusted_proxies)


def open_files_missing() -> int | None:
    """Return the maximum of open files if it is too low, else None."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard if hard != resource.RLIM_INFINITY and hard < limits.open_files_min else None


def listening_address(settings: Settings) -> str:
    """Return the address that the settings name, as a text."""
    return settings.unix or f"{settings.host}:{settings.port}"


def _is_served(settings: Settings) -> bool:
    """Return whether a server accepts connections on the configured address."""
    family = socket.AF_UNIX if settings.unix else socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as client:
        client.settimeout(limits.address_probe_timeout_ms / 1000)
        try:
            client.connect(settings.unix or (settings.host, settings.port))
        except OSError:
            return False
    return True


def _advise(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "stop what listens there, or give another --port (0 picks a free one)"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return "give a --port of 1024 or above"
    return "give an address of this machine as --host (0.0.0.0 means all of them)"


def _require_socket_path(path: str) -> None:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK | os.X_OK):
        reason, advice = (
            f"{folder} is not a directory that this user may write to",
            "create it, or give another --unix",
        )
    elif len(os.fsencode(path)) > limits.socket_path_bytes_max:
        reason, advice = f"it is longer than {limits.socket_path_bytes_max} bytes", "give a shorter --unix"
    elif os.path.exists(path) and not stat.S_ISSOCK(os.stat(path).st_mode):
        reason, advice = "the file there is not a socket", "remove it, or give another --unix"
    else:
        return
    raise ConfigurationError(f"cannot listen on {path}: {reason}; {advice}")


def _read(settings: Settings, name: str) -> str:
    path = getattr(settings, name)
    try:
        return Path(path).read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise ConfigurationError(
            f"{name} {path} cannot be read: {error.strerror}; correct the path, or who may read it"
        ) from error


def _refuse_password(settings: Settings) -> str:
    raise ConfigurationError(f"tls_key {settings.tls_key} is encrypted; give the key without a password")


# What must hold before `serve` starts or creates anything. `doctor` checks each.
REQUIREMENTS: dict[str, Callable[[Settings], None]] = {
    "TLS": require_tls_pair,
    "trusted proxies": require_proxies,
    "address": require_address,
    "ready file": require_ready_file,
    "embedded servers": require_embedded,
    "ledger": require_intended_ledger,
}
