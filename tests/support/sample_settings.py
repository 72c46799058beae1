"""Writes the settings file with every setting, deploy/fastpay.toml.

Run `python -m tests.support.sample_settings` after a change of settings or of docs/SETTINGS.md.

Names, order and meanings come from docs/SETTINGS.md, defaults from `Settings`. Each line is commented out, so
the file changes nothing until an operator edits it. A setting without a default is shown with an example.
"""

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from fastpay.config import ADMIN_PORT, Settings

FILE = Path("deploy/fastpay.toml")
_HEAD = """\
# Every setting of fastpay with its default, or an example if it has none. Remove the # where you change it.
# Paths are relative to the folder of this file. FASTPAY_* variables and flags win over it.
# Generated from docs/SETTINGS.md by `python -m tests.support.sample_settings`.
"""
_TYPES = {field.name: field.type for field in msgspec.structs.fields(Settings)}
_EXAMPLES: dict[str, Any] = {
    "unix": "/run/fastpay/socket",
    "admin_port": ADMIN_PORT,
    "console_url": "https://ops.example",
    "homes_address": "10.0.0.5:7000",
    "tls_cert": "/etc/fastpay/tls.crt",
    "tls_key": "/etc/fastpay/tls.key",
    "public_url": "https://pay.example",
    "ready_file": "/run/fastpay/ready.json",
    "database_url": "postgresql://fastpay@/fastpay?host=/run/postgresql",
    "replica_url": "postgresql://fastpay@replica.example/fastpay",
    "redis_url": "redis://127.0.0.1:6379/0",
    "sealing_key_file": "/etc/fastpay/sealing.keys",
    "address_connections_max": 9_000,
    "outbound_proxy": "http://proxy:3128",
}


def write(page: str) -> str:
    """Return the text of the file, from the text of docs/SETTINGS.md."""
    return "\n".join([_HEAD, *_lines(page)])


def _lines(page: str) -> Iterator[str]:
    defaults = {field.name: field.default for field in msgspec.structs.fields(Settings)}
    for line in page.splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if not line.startswith("| `"):
            continue
        names, _, meaning = (cell.strip() for cell in line.split("|")[1:4])
        if heading:
            yield f"## {heading}\n"
            heading = ""
        yield textwrap.fill(_plain(meaning), 100, initial_indent="# ", subsequent_indent="# ")
        for name in re.findall(r"`(\w+)`", names):
            default = defaults[name]
            yield f"#{name} = {_toml(_example(name) if default is None else default)}"
        yield ""


def _example(name: str) -> Any:
    """Return an example of a setting without a default: ours, one of its type, or its first value."""
    if name in _EXAMPLES:
        return _EXAMPLES[name]
    kinds = msgspec.inspect.type_info(_TYPES[name])
    assert isinstance(kinds, msgspec.inspect.UnionType)
    kind = kinds.types[0]
    if isinstance(kind, msgspec.inspect.LiteralType):
        return kind.values[0]
    assert isinstance(kind, msgspec.inspect.Metadata), f"give an example of {name} in {__name__}"
    assert kind.extra_json_schema is not None
    return kind.extra_json_schema["examples"][0]


def _plain(meaning: str) -> str:
    """Return a cell of the table as a sentence, without the links in brackets."""
    text = re.sub(r" ?\(\[[^\]]+\]\([^)]+\)\)", "", meaning)
    # A value stays as it is written.
    text = text if text.startswith("`") else text[0].upper() + text[1:]
    return text.replace("`", "") + "."


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[]" if not value else str(list(value))
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


if __name__ == "__main__":
    FILE.write_text(write(Path("docs/SETTINGS.md").read_text(encoding="utf-8")), encoding="utf-8")
