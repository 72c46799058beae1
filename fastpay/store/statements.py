"""The SQL of this program, by name: one statement a file in `sql/`; and several of them made one."""

import functools
import re
from importlib import resources
from typing import Final

_PARAMETER = re.compile(r"\$(\d+)")
_ARRAY = re.compile(r"\$(\d+)::(\w+)\[\]")
_COMMENTS = re.compile(r"(--[^\n]*\n)+")


def _read() -> dict[str, str]:
    folder = resources.files("fastpay.store") / "sql"
    return {
        file.name.removesuffix(".sql"): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }


SQL: Final = _read()


# A batch writes to one of few sets of tables, though there could be many. The driver prepares each statement.
@functools.lru_cache(maxsize=256)
def combine(names: tuple[str, ...]) -> str:
    """Return one statement that does what these do, with all their parameters one after the other.

    What they read is as it was before any of them began; what constraints and triggers look at is what all of
    them have left. They must change different rows: which of two changes to one would stand is not defined.
    Some share a table: new heads are inserted by one, old ones updated by another, and no row is both.
    """
    parts, offset = [], 0
    for name in names:
        text = _COMMENTS.sub("", SQL[name], count=1)
        parts.append(_shift(text, offset).strip())
        offset += max(map(int, _PARAMETER.findall(text)))
    first = [f"{name} as (\n{part}\n)" for name, part in zip(names, parts, strict=True)][:-1]
    return "with " + ",\n".join(first) + "\n" + parts[-1] if first else parts[-1]


def array_types(name: str) -> tuple[str, ...]:
    """Return the elements' types of the arrays that a statement takes, in the order of its parameters."""
    found = {int(number): element for number, element in _ARRAY.findall(SQL[name])}
    assert sorted(found) == list(range(1, len(found) + 1)), name
    return tuple(found[number] for number in sorted(found))


def _shift(text: str, by: int) -> str:
    return _PARAMETER.sub(lambda match: f"${int(match[1]) + by}", text)
