"""Test data published by others, in the folder that FASTPAY_PUBLIC_DATA names, or beside the project."""

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[1]


def folder(name: str) -> Path:
    """Return a folder of published data, or skip the test and say which one was missing."""
    named = os.environ.get("FASTPAY_PUBLIC_DATA")
    places = [Path(named)] if named else [_ROOT / "tests" / "data", _ROOT.parent / "shared" / "data"]
    for place in places:
        if (place / name).is_dir():
            return place / name
    pytest.skip(f"published data {name} not found; name its folder in FASTPAY_PUBLIC_DATA")
