"""How this program was called, for hints that can be typed as they stand."""

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "fastpay"


def command_name() -> str:
    """Return what starts this program in the shell that called it: `fastpay` where PATH leads to it."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        beside = Path(sys.executable).with_name(NAME)
        return NAME if _leads_to(beside) else f"{shlex.quote(sys.executable)} -m {NAME}"
    if called.name != NAME or _leads_to(called):
        return NAME
    return shlex.quote(sys.argv[0])


def install_command(extra: str) -> str:
    """Return what installs one of this package's extras, into the interpreter that runs.

    The pip of another interpreter would find no fastpay there, and install a stranger's of that name.
    """
    return f"{shlex.quote(sys.executable)} -m pip install '{NAME}[{extra}]'"


def _leads_to(program: Path) -> bool:
    found = shutil.which(NAME)
    return found is not None and program.exists() and os.path.samefile(found, program)
