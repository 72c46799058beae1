"""Test data published by others: beside the repository, or where PUBLIC_TEST_DATA says; never in it."""

import os
from pathlib import Path

import pytest


def data_directory() -> Path | None:
    """Return the directory of published data, None where there is none."""
    named = os.environ.get("PUBLIC_TEST_DATA")
    directory = Path(named) if named else Path(__file__).resolve().parents[3] / "shared" / "data"
    return directory if directory.is_dir() else None


def folder(name: str) -> Path:
    """Return a folder of published data, or skip the test and say which one was missing."""
    directory = data_directory()
    if directory is None or not (directory / name).is_dir():
        pytest.skip(f"published data {name} not found; name its directory in PUBLIC_TEST_DATA")
    return directory / name
