"""The version is the same wherever it stands, and each version has a tag and an entry in the changelog."""

import re
import subprocess
import tomllib
from importlib.metadata import version

from fastpay import __version__
from fastpay.store.health import VERSION_MAX, VERSION_MIN
from release import schemas
from release.pythons import VERSIONS
from release.sources import ROOT
from tests.support.servers import run_fastpay

CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
# The number and the day of each version, or that it is not released.
ENTRIES = re.findall(r"^## (\d+\.\d+\.\d+) \((\d{4}-\d\d-\d\d|unreleased)\)$", CHANGELOG, re.MULTILINE)
SECURITY = (ROOT / "SECURITY.md").read_text(encoding="utf-8")


def test_the_program_the_package_and_the_changelog_have_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    said = run_fastpay("--version").stdout
    assert said == f"fastpay {__version__}\n"
    assert {__version__, project["version"], version("fastpay")} == {ENTRIES[0][0]}


def test_versions_are_in_order_and_only_the_next_one_is_not_released() -> None:
    assert len(ENTRIES) == CHANGELOG.count("\n## ")
    numbers = [tuple(map(int, number.split("."))) for number, _ in ENTRIES]
    assert numbers == sorted(set(numbers), reverse=True)
    assert "unreleased" not in [day for _, day in ENTRIES[1:]]
    days = [day for _, day in ENTRIES if day != "unreleased"]
    assert days == sorted(days, reverse=True)


def test_each_version_begins_with_upgrade_notes() -> None:
    for entry in re.split(r"^## ", CHANGELOG, flags=re.MULTILINE)[1:]:
        (_, notes, *_) = re.split(r"^### ", entry, flags=re.MULTILINE)
        assert notes.startswith("Upgrade notes\n\n- ")


def test_the_program_of_a_release_works_on_what_the_next_one_only_adds() -> None:
    """Or an upgrade by one release could not be taken back."""
    floors = schemas.read_floors(ROOT)
    assert list(schemas.RELEASED) == [number for number, _ in reversed(ENTRIES[1:])]
    assert [
        stray for last in [*schemas.RELEASED.values()][-1:] for stray in schemas.find_strays(last, floors)
    ] == []
    # 0052 was released. 0053 and 0055 only add, 0056 takes something away, and 0054 names its neighbor.
    example = {"0052": "0051", "0053": "0052", "0054": "0053", "0055": "0052", "0056": "0056"}
    assert schemas.find_strays("0052", example) == ["0054"]


def test_each_tag_is_a_released_version() -> None:
    """A tag may be missing where only a part of the history was fetched."""
    listed = subprocess.run(
        ["git", "tag", "--list", "v*"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    released = {f"v{number}" for number, day in ENTRIES if day != "unreleased"}
    assert set(listed.stdout.split()) <= released


def test_the_policy_names_what_releases_are_built_for() -> None:
    """The metadata of the wheel says the same: `test_wheel.py`."""
    *others, last = VERSIONS
    assert f"CPython {', '.join(others)} and {last}" in SECURITY
    assert f"PostgreSQL {VERSION_MIN} to {VERSION_MAX}" in SECURITY
