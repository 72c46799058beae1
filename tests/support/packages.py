"""Packages of Python and Node that are no part of the environment of the tests."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.builds import built

PATIENCE_SECONDS = 300


def installed(name: str, *wanted: str) -> Path:
    """Return a folder with packages, without what they depend on, or skip the test and name the packages."""
    return built(name, " ".join(wanted), lambda place: _install(place, wanted))


def _install(place: Path, wanted: tuple[str, ...]) -> None:
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


def npm_modules(npm: str, name: str, project: Path) -> Path:
    """Return what the lock file of a project has installed, or skip the test and say why there is nothing."""
    return built(name, project, lambda place: _npm_ci(npm, name, place)) / "node_modules"


def _npm_ci(npm: str, name: str, place: Path) -> None:
    ran = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
        cwd=place,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if ran.returncode != 0:
        reason = next((line for line in ran.stderr.splitlines() if "error" in line), "npm ci failed")
        pytest.skip(f"the npm packages of {name} could not be installed: {reason}")
