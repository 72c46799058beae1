"""How the interpreter was built: one with profile-guided optimization takes fewer instructions."""

import platform
import sys
import sysconfig
from pathlib import PurePosixPath

from fastpay.operations.findings import Finding

_OPTION = "--enable-optimizations"


def is_optimized(arguments: str | None = None, prefix: str | None = None) -> bool:
    """Tell whether the interpreter was built with profile-guided optimization, as far as that can be known.

    `arguments` are those of its `configure`, `prefix` is where it is; by default this one's.
    Distributions build theirs, under /usr, with it, but not by the option of `configure`.
    """
    if arguments is None:
        arguments = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return _OPTION in arguments or PurePosixPath(prefix or sys.base_prefix) == PurePosixPath("/usr")


def describe_interpreter() -> str:
    """Return the interpreter's name, version and build."""
    build = "with" if is_optimized() else "without"
    return f"{platform.python_implementation()} {platform.python_version()}, {build} PGO"


def check_interpreter() -> Finding:
    """Name an interpreter that is slower than it could be."""
    if is_optimized():
        return Finding("interpreter", "good", describe_interpreter())
    advice = f"use the distribution's python3, or one that was built with {_OPTION}"
    return Finding("interpreter", "note", describe_interpreter(), advice)
