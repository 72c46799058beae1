"""The settings file in deploy/ has every setting, changes nothing, and each of its lines is allowed."""

import re
from pathlib import Path

import msgspec

from fastpay.config import Settings, load_settings
from tests.pages.blocks import ROOT
from tests.support import sample_settings

TEXT = (ROOT / sample_settings.FILE).read_text(encoding="utf-8")


def test_the_file_is_what_the_page_and_the_settings_make() -> None:
    """`python -m tests.support.sample_settings` writes it anew."""
    assert sample_settings.write((ROOT / "docs/SETTINGS.md").read_text(encoding="utf-8")) == TEXT


def test_it_loads_as_it_is_and_changes_nothing() -> None:
    assert load_settings(config=str(ROOT / sample_settings.FILE), environment={}) == load_settings(
        environment={}
    )


def test_every_setting_is_there_once_and_each_line_is_allowed(tmp_path: Path) -> None:
    names = re.findall(r"^#(\w+) = ", TEXT, re.MULTILINE)
    assert sorted(names) == sorted(field.name for field in msgspec.structs.fields(Settings))
    path = tmp_path / "fastpay.toml"
    path.write_text(re.sub(r"^#(?=\w+ = )", "", TEXT, flags=re.MULTILINE), encoding="utf-8")
    given, defaults = load_settings(config=str(path), environment={}), Settings()
    for field in msgspec.structs.fields(Settings):
        if field.default is not None and field.name != "data_dir":  # relative to the file's folder
            assert getattr(given, field.name) == getattr(defaults, field.name), field.name
        assert getattr(given, field.name) is not None
