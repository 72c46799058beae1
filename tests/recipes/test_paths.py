"""The recipes of CONTRIBUTING.md name files that exist."""

import re

from tests.pages.blocks import ROOT

_TO_BE_MADE = {"fastpay/domain/notes.py", "fastpay/api/resources/notes.py", "fastpay/cli/X.py"}


def test_every_file_that_a_recipe_names_is_there_or_to_be_made() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:fastpay|tests|docs)/[\w./]+)`", text))
    assert {path for path in named if not (ROOT / path).exists()} == _TO_BE_MADE
