"""The paths and links of every page lead somewhere."""

import re
from pathlib import Path

from tests.pages.blocks import PAGES, ROOT

# What the recipes of CONTRIBUTING.md make.
_EXAMPLES = ("notes.py", "X.py")


def texts() -> dict[Path, str]:
    """Return every page's text by its path."""
    return {path: path.read_text(encoding="utf-8") for pattern in PAGES for path in ROOT.glob(pattern)}


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_file_that_a_page_names_is_there() -> None:
    missing = []
    for page, text in texts().items():
        for name in re.findall(r"`([\w.-]+/[\w./-]+\.(?:py|pyx|pyi|pxd|sql|md|json))`", text):
            if not any((base / name).exists() for base in (ROOT, ROOT / "fastpay", page.parent)):
                missing.append((page.name, name))
    assert [one for one in missing if not one[1].endswith(_EXAMPLES)] == []
    assert len(missing) > 0, "the examples are not looked at"


def test_every_link_leads_to_a_page_and_a_heading() -> None:
    broken = []
    for page, text in texts().items():
        for link in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S)):
            if link.startswith("http"):
                continue
            target, _, anchor = link.partition("#")
            path = (page.parent / target) if target else page
            if not path.exists() or (anchor and anchor not in anchors(path.read_text(encoding="utf-8"))):
                broken.append((page.name, link))
    assert broken == []


def test_every_decision_is_in_the_index() -> None:
    folder = ROOT / "docs/decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in folder.glob("0*.md") if f"({path.name})" not in index] == []
