"""Every promise of SECURITY.md and RELIABILITY.md names a test that is there; every limit, what sets it."""

import re

import msgspec
import pytest

from fastpay import limits
from fastpay.config import Settings
from tests.pages.blocks import ROOT


def rows(page: str, heading: str) -> list[list[str]]:
    """Return the cells of each row below a heading, without the table's own heading."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    found = []
    for part in re.split(r"^#+ ", text, flags=re.M):
        if heading in {"", part.partition("\n")[0]}:
            lines = [line for line in part.splitlines() if line.startswith("|")]
            found += [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]
    return found


def missing(text: str) -> list[str]:
    """Return the tests that a text names and the tree does not have."""
    faults = []
    for path, name in re.findall(r"`(tests/[\w/.]*)(?:::(\w+))?`", text):
        place = ROOT / path
        if not place.exists() or (name and f"def {name}(" not in place.read_text(encoding="utf-8")):
            faults.append(f"{path}::{name}")
    return faults


@pytest.mark.parametrize("page", ["SECURITY.md", "RELIABILITY.md"])
def test_every_test_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    assert missing(text) == []
    assert missing("`tests/none.py` and `tests/pages/test_promises.py::test_none`") != []


def test_every_promise_names_a_test() -> None:
    promises = rows("RELIABILITY.md", "") + rows("SECURITY.md", "Threat model")
    assert len(promises) > 20
    assert [row for row in promises if "`tests/" not in row[-1]] == []


def test_every_limit_has_its_setting_or_none() -> None:
    settings = {field.name for field in msgspec.structs.fields(Settings)}
    for row in rows("SECURITY.md", "Limits"):
        assert len(row) == 4, row
        named = re.findall(r"`(\w+)`", row[2])
        assert [name for name in named if name not in settings and not hasattr(limits, name)] == [], row
        assert named or row[2] in {"", "none"}, row
