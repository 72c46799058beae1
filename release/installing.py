"""A wheel installed as an operator does it: into an empty environment, from the lock, without a compiler."""

import os
import sys
from pathlib import Path

from release.building import LOCKS, run


def make_environment(python: Path, place: Path) -> Path:
    """Make an environment with nothing in it, not even pip, and return its Python."""
    run([python, "-m", "venv", "--without-pip", place])
    return place / "bin" / "python"


def install_locked(python: Path, wheel: Path) -> None:
    """Install a wheel of the server with exactly the dependencies of the lock, each with its hash."""
    env = bare_environment(python)
    lock = LOCKS / "requirements.lock"
    pip = _pip(python)
    run([*pip, "install", "-q", "--require-hashes", "--only-binary", ":all:", "-r", lock], env=env)
    install_alone(python, wheel)
    run([*pip, "check"], env=env)


def install_alone(python: Path, wheel: Path) -> None:
    """Install a wheel and nothing else. It is looked up by name, so that its path is not kept."""
    name, version = wheel.name.split("-")[:2]
    offline = ("--no-deps", "--no-index", "--find-links", wheel.parent)
    run([*_pip(python), "install", "-q", *offline, f"{name}=={version}"], env=bare_environment(python))


def find_http2_fault(python: Path) -> str:
    """Return why an installed program would not serve HTTP/2 by what its wheel brings, or an empty string."""
    code = (
        "from fastpay.server.http2_engine import why_not_native\n"
        "print(why_not_native())\n"
        "print(*{line.split()[-1] for line in open('/proc/self/maps') if 'libnghttp2' in line}, sep='\\n')"
    )
    fault, *loaded = run([python, "-I", "-c", code], env=bare_environment(python)).splitlines()
    own = str(python.parents[1].resolve())
    return fault or "".join(f"it loads {path}" for path in loaded if not path.startswith(own))


def bare_environment(python: Path) -> dict[str, str]:
    """Return our environment with nothing on the path but the programs of this installation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    # A checkout on PYTHONPATH would count as installed.
    return kept | {"PATH": str(python.parent), "CC": "/nonexistent/cc"}


def _pip(python: Path) -> list[str | Path]:
    return [sys.executable, "-m", "pip", "--python", python]
