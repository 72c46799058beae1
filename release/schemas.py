"""Which schema each released version has, and whether an upgrade from it can be taken back.

A program works on a schema if it knows the migration that `works_with` names, of all migrations the newest.
"""

import re
from collections.abc import Mapping
from pathlib import Path

# The last migration of each version that was released, but the newest: the next version begins with its line.
RELEASED: Mapping[str, str] = {}


def read_floors(root: Path) -> dict[str, str]:
    """Return for each migration, in order, the oldest one whose program it keeps; "" for those without."""
    floors = {}
    for path in sorted((root / "fastpay/store/migrations/versions").glob("[0-9]*.py")):
        found = re.search(r'^works_with = "(\d{4})"$', path.read_text(encoding="utf-8"), re.MULTILINE)
        floors[path.name[:4]] = found[1] if found else ""
    return floors


def find_strays(released: str, floors: Mapping[str, str]) -> list[str]:
    """Return the migrations after a release that lock its program out although they only add.

    The floor of a schema is the newest of its migrations. One that names its neighbor, and not the release,
    would move the floor above the release.
    """
    return [number for number, floor in floors.items() if released < floor < number and number > released]
