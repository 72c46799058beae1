"""The page of log lines has every line that the code writes, with its level and its fields."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.pages.blocks import ROOT

_CALL = re.compile(
    r'(?:\b_?log(?:ger)?\.(?=\w+\(\s*")|\bjson_line\([^"\n]*")(debug|info|warning|error|exception)[("\s,]+(\w+)"'
)
_FIELD = re.compile(r'(\w+)=(?!=)|"(\w+)": ')
# What an event ends with, beside words in "-ed".
_PARTICIPLES = ("lost", "left")


class Line(NamedTuple):
    """A line that the code writes. `is_open` says that some of its fields are not known here."""

    event: str
    level: str
    fields: frozenset[str]
    is_open: bool


def collect() -> Iterator[Line]:
    """Yield what is logged, where it is logged."""
    for path in sorted((ROOT / "fastpay").rglob("*.py*")):
        source = path.read_text(encoding="utf-8") if path.suffix in (".py", ".pyx") else ""
        for call in _CALL.finditer(source):
            method, event = call.groups()
            arguments = _arguments(source[call.end() :])
            names = {first or second for first, second in _FIELD.findall(arguments)}
            yield Line(
                event,
                "ERROR" if method == "exception" else method.upper(),
                frozenset(names - {"extra", "exc_info", "fields"}),
                "**" in arguments,
            )


def _arguments(text: str) -> str:
    """Return what stands before the bracket that closes the call, without the arguments of other calls."""
    depth, kept = 0, ""
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if depth < 0:
            return kept
        kept += sign if depth == 0 else ""
    raise AssertionError("a call without an end")


def documented() -> dict[str, tuple[str, frozenset[str]]]:
    """Return level and fields of each event of the page."""
    page = (ROOT / "docs/LOGS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|([^|]*)\|", page, re.MULTILINE)
    assert len(rows) == len({event for event, _, _ in rows})
    return {event: (level, frozenset(re.findall(r"`(\w+)`", fields))) for event, level, fields in rows}


def test_the_page_has_every_line_with_its_level_and_its_fields() -> None:
    page = documented()
    seen: dict[str, set[str]] = {}
    for line in collect():
        assert line.event in page, line
        level, fields = page[line.event]
        assert line.level == level, line
        assert line.fields <= fields, line
        seen.setdefault(line.event, set()).update(fields if line.is_open else line.fields)
    assert seen == {event: set(fields) for event, (_, fields) in page.items()}


def test_an_event_says_of_what_it_tells_and_what_became_of_it() -> None:
    for event in documented():
        assert re.fullmatch(r"[a-z0-9]+(_[a-z0-9]+)+", event)
        last = event.rpartition("_")[2]
        assert last.endswith("ed") or last in _PARTICIPLES, event
