"""The sealing keys of an installation, and the first API key of the embedded default.

Sealing keys are in a file: the configured one, or one in the data directory of the embedded default,
created on first use. An instance that uses the embedded database of another one finds that file beside the
sockets. With another database and no configured file there are no keys, and nothing is sealed.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import command_name
from fastpay.observability.telemetry import log
from fastpay.operations.embedded.directory import TEST_TENANT, DataDirectory, write_private
from fastpay.store.connections import database_clock
from fastpay.store.keys import create_key, create_tenant, find_key, hash_key
from fastpay.store.resealing import reseal, survey
from fastpay.store.sealing import KEY_FILE, SealingKey, Vault, make_key, read_keys, render_keys


def key_file(settings: Settings) -> Path | None:
    """Return the path of the sealing keys, existing or not; None if there are to be none."""
    if settings.sealing_key_file is not None:
        return Path(settings.sealing_key_file)
    if settings.database_url is None:
        return Path(settings.data_dir) / KEY_FILE
    for host in parse_qs(urlsplit(settings.database_url).query).get("host", ()):
        beside = Path(host) / KEY_FILE
        if host.startswith("/") and beside.exists():
            return beside
    return None


async def open_vault(
    settings: Settings, connection: Any, *, clock: Clock, create: bool = False
) -> Vault | None:
    """Return the vault for the secrets in this database, or None if nothing is sealed.

    The file of a data directory is created only with `create`, and only if nothing is sealed yet. Raises:
    ConfigurationError with the file and what to do.
    """
    path = key_file(settings)
    used = {stock.under for stock in await survey(connection) if stock.under is not None}
    if path is None:
        require_used(used, [], path)
        return None
    if not used and not path.exists() and settings.sealing_key_file is None:
        if not create:
            return None
        _make_file(path.absolute(), clock)
    keys = read_keys(path)
    require_used(used, keys, path)
    return Vault(keys, clock=clock, reread=lambda: read_keys(path))


async def open_at_start(settings: Settings, connection: Any, *, clock: Clock) -> Vault | None:
    """Return the vault of an installation that starts to serve; the embedded default seals plain secrets.

    Raises: ConfigurationError.
    """
    vault = await open_vault(settings, connection, clock=clock, create=True)
    # Instances that share a database may not all have the keys yet. There the operator decides when to seal.
    if vault is not None and settings.database_url is None:
        sealed = await reseal(connection, vault, only_plain=True)
        if sealed:
            log.info("secrets_sealed", secrets=sealed)
    return vault


async def keep_test_key(connection: Any, directory: DataDirectory, *, vault: Vault | None = None) -> str:
    """Return the API key of the embedded test tenant; create both on the first run."""
    kept = directory.read_test_key()
    if kept is not None:
        found = await find_key(connection, hash_key(kept))
        if found is not None and found.revoked_at is None and found.expires_at is None:
            return kept
    clock = await database_clock(connection)
    tenant_id = await create_tenant(connection, TEST_TENANT, clock=clock, vault=vault)
    made = await create_key(connection, tenant_id, livemode=False, clock=clock)
    directory.write_test_key(made.key)
    return made.key


def require_used(used: set[str], keys: list[SealingKey], path: Path | None) -> None:
    """Require that the keys open every secret in use. Raises: ConfigurationError."""
    missing = sorted(used - {key.key_id for key in keys})
    if not missing:
        return
    names = ", ".join(missing)
    if path is None:
        raise ConfigurationError(
            f"secrets in the database are sealed under {names}, and no sealing keys are configured; "
            "set FASTPAY_SEALING_KEY_FILE to the file that contains them"
        )
    raise ConfigurationError(
        f"secrets in the database are sealed under {names}, which {path} does not contain; "
        "put the missing keys back into the file, one a line"
    )


def add_key(settings: Settings, *, clock: Clock) -> tuple[Path, list[SealingKey]]:
    """Add a new key at the top of the file, creating the file if needed; return path and keys.

    Raises: ConfigurationError.
    """
    path = key_file(settings)
    if path is None:
        raise ConfigurationError(
            "no file for the sealing keys is configured; set FASTPAY_SEALING_KEY_FILE, with the same "
            "content on every instance"
        )
    # Beside an embedded database's sockets there is only a link.
    path = path.resolve()
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"there is no directory {path.parent}; create it, or run {command_name()} serve first"
        )
    keys = [make_key(clock), *(read_keys(path) if path.exists() else [])]
    try:
        write_private(path, render_keys(keys))
    except OSError as error:
        raise ConfigurationError(
            f"the sealing keys {path} cannot be written: {error.strerror}; correct the path, or who may"
        ) from error
    return path, keys


def _make_file(path: Path, clock: Clock) -> None:
    """Create a file with one key, unless another process has done so: it may have used its key already."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    write_private(draft, render_keys([make_key(clock)]))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
