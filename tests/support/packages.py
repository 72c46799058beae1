"""Python packages in other releases than those of the tests, beside all others."""

import subprocess
import sys
from pathlib import Path

import pytest

PATIENCE_SECONDS = 300


def install(place: Path, *wanted: str) -> None:
    """Install packages without what they depend on, or skip the test and say which are missing."""
    options = ("--quiet", "--no-deps", "--no-compile", "--disable-pip-version-check", "--target", str(place))
    ran = subprocess.run(
        [sys.executable, "-m", "pip", "install", *options, *wanted],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if ran.returncode != 0:
        names = " ".join(wanted)
        pytest.skip(f"{names} could not be installed: {ran.stderr.strip().splitlines()[-1:]}")
