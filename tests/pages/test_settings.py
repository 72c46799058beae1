"""SETTINGS.md lists every setting, with the default that it has."""

import re

import msgspec

from fastpay.config import Settings
from tests.pages.blocks import ROOT

# Defaults that a number or a word of the table cannot say.
_IN_WORDS = {"address_connections_max": "half of `connections_max`"}
_IN_WORDS |= dict.fromkeys(("cors_origins", "root_path", "trusted_proxies"), "")


def test_every_setting_has_a_row_with_its_default() -> None:
    documented: dict[str, str] = {}
    for line in (ROOT / "docs/SETTINGS.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            names, defaults = [cell.strip() for cell in line.split("|")[1:3]]
            found = re.findall(r"`(\w+)`", names)
            documented |= dict(
                zip(found, defaults.split(", ") if defaults else [""] * len(found), strict=True)
            )
    assert documented == {
        field.name: _IN_WORDS.get(field.name, _shown(field.default))
        for field in msgspec.structs.fields(Settings)
    }


def _shown(default: object) -> str:
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
