"""Where the public test data is: published by others, kept beside the repository and not in it."""

import os
from pathlib import Path


def data_directory() -> Path | None:
    """Return the directory named by FASTPAY_TEST_DATA or else ../shared/data, None where there is none."""
    named = os.environ.get("FASTPAY_TEST_DATA")
    directory = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return directory if directory.is_dir() else None
