"""The pages list the settings of fastpay and of PostgreSQL as they are."""

import re

import msgspec

from fastpay.config import ADMIN_PORT, Settings
from fastpay.operations.embedded.postgres import SETTINGS
from tests.pages.blocks import ROOT

# Defaults that a number or a word of the table cannot say.
_IN_WORDS = {"address_connections_max": "half of `connections_max`"}
_IN_WORDS["admin_port"] = str(ADMIN_PORT)
_IN_WORDS |= dict.fromkeys(("cors_origins", "outbound_allowed_networks", "root_path", "trusted_proxies"), "")
_IN_WORDS |= dict.fromkeys(("rollout_ignore", "rollout_identifiers"), "")
_IN_WORDS |= dict.fromkeys(("rollout_timestamps", "rollout_unordered"), "")


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


def test_the_advice_for_a_postgresql_of_ones_own_is_what_the_embedded_one_has() -> None:
    page = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8")
    section = page.partition("## Settings of your own PostgreSQL")[2].partition("\n## ")[0]
    advised = dict(re.findall(r"^\| `(\w+)` \| (?:at least )?`(\w+)` \|", section, re.MULTILINE))
    assert "wal_init_zero" in advised
    assert advised.items() <= SETTINGS.items()


def _shown(default: object) -> str:
    return "" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
