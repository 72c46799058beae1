"""The command line of this program, for hints that can be typed as shown."""

import os
import shlex
import shutil
import sys
from pathlib import Path

NAME = "fastpay"


def command_name() -> str:
    """Return the command that starts this program: `fastpay` if the shell's PATH leads to it."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        beside = Path(sys.executable).with_name(NAME)
        return NAME if _leads_to(beside) else f"{shlex.quote(sys.executable)} -m {NAME}"
    if called.name != NAME or _leads_to(called):
        return NAME
    return shlex.quote(sys.argv[0])


def install_command(extra: str) -> str:
    """Return the command that installs an extra of this package into the running interpreter.

    Another interpreter's pip would not find this package, and install a foreign one of the same name.
    """
    return f"{shlex.quote(sys.executable)} -m pip install '{NAME}[{extra}]'"


def _leads_to(program: Path) -> bool:
    found = shutil.which(NAME)
    return found is not None and program.exists() and os.path.samefile(found, program)
