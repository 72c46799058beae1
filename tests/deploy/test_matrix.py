"""The versions that are tried are those that are supported, and those that the page names."""

import re

from fastpay.store.health import VERSION_MAX, VERSION_MIN
from release.pythons import VERSIONS
from tests.deploy.matrix import CACHES, NPM_POSTGRES, PYPI_POSTGRES, ROWS, TESTS, WITH_PROGRAMS
from tests.support.tree import ROOT


def test_each_supported_version_is_in_a_row_and_on_the_page() -> None:
    postgres = set(range(VERSION_MIN, VERSION_MAX + 1))
    assert {row.postgres for row in ROWS} == {*NPM_POSTGRES, *PYPI_POSTGRES} == postgres
    assert {row.python for row in ROWS} == set(VERSIONS)
    assert {row.cache for row in ROWS} == set(CACHES)
    page = (ROOT / "docs/OPERATIONS.md").read_text(encoding="utf-8")
    section = page.partition("## Supported versions")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (3\.\d+) \| (\d+)\.\d+ \| (\w+ \d+)", section, re.MULTILINE)
    assert [(python, int(version), cache) for python, version, cache in rows] == list(ROWS)


def test_the_tests_of_a_row_exist() -> None:
    assert [name for name in TESTS + WITH_PROGRAMS if not (ROOT / name).exists()] == []
