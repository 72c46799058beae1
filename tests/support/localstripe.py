"""localstripe from PyPI: somebody else's server of the dialect, without idempotency keys or searches."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support import packages
from tests.support.programs import listening

VERSION = "1.15.10"


@contextlib.contextmanager
def running(place: Path) -> Iterator[str]:
    """Run it for the block in a new folder, and yield its URL; skip the test if it cannot be installed."""
    installed = packages.installed(
        "localstripe", f"localstripe=={VERSION}", "python-dateutil>=2.6.1", "six>=1.5"
    )
    place.mkdir()

    def command(port: int) -> list[str]:
        return [sys.executable, "-m", "localstripe.server", "--from-scratch", "--port", str(port)]

    environment = {**os.environ, "PYTHONPATH": str(installed)}
    with (
        (place / "output").open("wb") as output,
        listening(command, env=environment, cwd=place, stdout=output, stderr=subprocess.STDOUT) as url,
    ):
        yield url
