"""What `fastpay processors` does: reads secrets, and tries and shows what is configured."""

import asyncio
from typing import Any, TextIO

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.config import Settings
from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import Configuration, Configured, Kind, Secrets
from fastpay.errors import ConfigurationError
from fastpay.observability.program_name import command_name
from fastpay.operations.sealing_keys import open_vault
from fastpay.outbound.processors.making import ProcessorMaker
from fastpay.outbound.signatures import standard_key
from fastpay.store.connections import database_clock
from fastpay.store.processors import read_processors
from fastpay.store.sealing import Vault

COLUMNS = ("name", "kind", "url", "state", "default", "webhooks")
# More than two secrets have.
_SECRETS_CHARS_MAX = 4_096


def check_processor(configured: Configured) -> str | None:
    """Return None if a processor answers and accepts our credentials, or else the reason."""
    secrets = configured.secrets
    if secrets is None:
        return "its secrets cannot be opened; give the sealing keys that they are sealed under"

    async def check() -> str | None:
        maker = ProcessorMaker(clock=SystemClock())
        try:
            return await maker.make(configured, secrets).check(timeout_ms=limits.processor_check_timeout_ms)
        finally:
            await maker.close()

    return asyncio.run(check())


async def open_needed_vault(settings: Settings, connection: Any) -> Vault:
    """Return the vault, whose key is made if there may be one. Raises: ConfigurationError without one."""
    vault = await open_vault(settings, connection, clock=await database_clock(connection), create=True)
    if vault is None:
        raise ConfigurationError(
            "the secrets of a processor must be sealed, and there is no sealing key; name a file in "
            f"FASTPAY_SEALING_KEY_FILE and run {command_name()} sealing add"
        )
    return vault


async def read_configuration(settings: Settings, connection: Any, scope: Scope) -> Configuration:
    """Return the processors of a tenant in one mode, and its rules."""
    vault = await open_vault(settings, connection, clock=await database_clock(connection))
    return await read_processors(connection, scope, vault=vault)


def read_secrets(file: TextIO, kind: Kind) -> Secrets:
    """Read one or two lines. A secret is no argument: others could see it in the list of processes.

    Raises: ConfigurationError for a secret that is missing, or that a kind of processor cannot use.
    """
    lines = file.read(_SECRETS_CHARS_MAX).split("\n")
    secret, webhook_secret = (line.strip() for line in [*lines, ""][:2])
    if not secret:
        raise ConfigurationError("there is no secret on standard input; give it as the first line")
    if kind == "http" and webhook_secret:
        try:
            standard_key(webhook_secret)
        except ValueError as error:
            raise ConfigurationError(str(error)) from error
    return Secrets(secret=secret, webhook_secret=webhook_secret or None)


def find(configuration: Configuration, name: str) -> Configured:
    """Return a processor by its name. Raises: ConfigurationError."""
    for one in configuration.processors:
        if one.name == name:
            return one
    raise ConfigurationError(f"there is no processor named {name!r} in this mode of the tenant")


def shown(configuration: Configuration) -> list[tuple[str, ...]]:
    """Return a row with `COLUMNS` for each processor."""
    return [
        (
            one.name,
            one.kind,
            one.url,
            "enabled" if one.is_enabled else "disabled",
            "yes" if one.is_default else "",
            "unreadable" if one.secrets is None else "yes" if one.secrets.webhook_secret else "no",
        )
        for one in configuration.processors
    ]
