"""What an installation keeps beside its database: the sealing keys that this needs, and the first API key.

The keys stand in a file: the one that is named, or in the embedded default one in the data directory, which
is made when it is needed first. An instance that is pointed at the embedded database of another one finds
that one's file beside the sockets. With a database of one's own and no file named there are no keys, and
nothing is sealed.
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
from fastpay.store.connections import connected, database_clock
from fastpay.store.keys import create_key, create_tenant, find_key, hash_key
from fastpay.store.resealing import reseal, survey
from fastpay.store.sealing import KEY_FILE, SealingKey, Vault, make_key, read_keys, render_keys


def key_file(settings: Settings) -> Path | None:
    """Return where the sealing keys are, or would be; None where there are to be none."""
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
    """Return the vault that the secrets in this database need, None where nothing is or will be sealed.

    Only with `create` is the file of a data directory made, and only while nothing has been sealed yet.
    Raises: ConfigurationError naming the file and what to do.
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


async def open_at_start(settings: Settings, database_url: str, *, clock: Clock) -> Vault | None:
    """Return the vault of an installation that begins to serve. The embedded default seals what is in plain.

    Raises: ConfigurationError.
    """
    async with connected(database_url) as connection:
        vault = await open_vault(settings, connection, clock=clock, create=True)
        # Instances that share a database may not all have the keys yet: there the operator says when.
        if vault is not None and settings.database_url is None:
            sealed = await reseal(connection, vault, only_plain=True)
            if sealed:
                log.info("secrets_sealed", secrets=sealed)
        return vault


async def keep_test_key(database_url: str, directory: DataDirectory, *, vault: Vault | None = None) -> str:
    """Return the API key of the embedded test tenant; on the first run make both and keep the key."""
    async with connected(database_url) as connection:
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
    """Let only those keys pass that open everything. Raises: ConfigurationError."""
    missing = sorted(used - {key.key_id for key in keys})
    if not missing:
        return
    names = ", ".join(missing)
    if path is None:
        raise ConfigurationError(
            f"secrets in the database are sealed under {names}, and no sealing keys are named; "
            "set FASTPAY_SEALING_KEY_FILE to the file that holds them"
        )
    raise ConfigurationError(
        f"secrets in the database are sealed under {names}, which {path} does not hold; "
        "put the missing keys back into the file, one a line"
    )


def add_key(settings: Settings, *, clock: Clock) -> tuple[Path, list[SealingKey]]:
    """Make a key, put it first into the file, and return file and keys; the file is made where there is none.

    Raises: ConfigurationError.
    """
    path = key_file(settings)
    if path is None:
        raise ConfigurationError(
            "nothing says where the sealing keys are to be kept; set FASTPAY_SEALING_KEY_FILE, to the same "
            "content on every instance"
        )
    # Beside an embedded database's sockets there is only a link.
    path = path.resolve()
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"there is no directory {path.parent}; make it, or run {command_name()} serve first"
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
    """Make a file with one key, unless another process did so meanwhile: it may have used its own by now."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    write_private(draft, render_keys([make_key(clock)]))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
