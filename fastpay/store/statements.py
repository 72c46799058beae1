"""The SQL of this program, by name: one statement a file in `sql/`."""

from importlib import resources
from typing import Final


def _read() -> dict[str, str]:
    folder = resources.files("fastpay.store") / "sql"
    return {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


SQL: Final = _read()
