"""One wheel from a clean copy of the sources: the same bytes from the same commit, wherever it is built.

What would make them differ: times of files (SOURCE_DATE_EPOCH), their modes (umask), the directory of the
build and the name of the machine's Python in debug information and run paths (stripped), and other versions
of Cython or of the build tools (`build.lock`, with hashes). Another compiler makes other bytes.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from release import sources
from release.pythons import tag

LOCKS = sources.ROOT / "release"


class BuildError(Exception):
    """A step failed; the message has its command and what it printed."""


def run(command: Sequence[str | Path], *, env: Mapping[str, str] | None = None, umask: int = -1) -> str:
    """Run a program to its end and return what it printed. Raises: BuildError if it fails."""
    ran = subprocess.run(
        command,
        env=env,
        umask=umask,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if ran.returncode != 0:
        raise BuildError(f"{' '.join(map(str, command))}\n{ran.stdout}")
    return ran.stdout


def make_builder(python: Path, version: str, place: Path) -> Path:
    """Return the Python of an environment with exactly the build tools of build.lock."""
    environment = place / f"build-{tag(version)}"
    if not environment.exists():
        run([python, "-m", "venv", environment])
        run([environment / "bin/pip", "install", "-q", "--require-hashes", "-r", LOCKS / "build.lock"])
    return environment / "bin/python"


def build_server(builder: Path, into: Path, *, is_compiled: bool = False) -> Path:
    """Build the wheel of the server for the builder's Python, tagged for this machine only.

    With `is_compiled` the checkout's own compiled modules are taken: it must be built for that Python.
    """
    with tempfile.TemporaryDirectory(prefix="fastpay-build-") as scratch:
        sources.copy_sources(Path(scratch, "sources"))
        if is_compiled:
            sources.copy_compiled(Path(scratch, "sources"))
        return _build(builder, Path(scratch), into)


def build_client(builder: Path, into: Path, version: str) -> Path:
    """Build the small wheel for clients, which is for any Python and any machine."""
    with tempfile.TemporaryDirectory(prefix="fastpay-build-") as scratch:
        sources.copy_client(Path(scratch, "sources"), version)
        return _build(builder, Path(scratch), into)


def repair(wheel: Path, into: Path, tools: Path) -> Path:
    """Return the wheel with the oldest manylinux tag that its symbols allow, and the libraries it needs."""
    env = _environment() | {"PATH": f"{tools}:{os.environ.get('PATH', '')}"}
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into) as scratch:
        run([tools / "auditwheel", "repair", "--wheel-dir", scratch, wheel], env=env)
        (made,) = Path(scratch).glob("*.whl")
        return made.replace(into / made.name)


def _build(builder: Path, scratch: Path, into: Path) -> Path:
    into.mkdir(parents=True, exist_ok=True)
    out = scratch / "out"
    options = scratch / "distutils.cfg"
    options.write_text(f"[build_ext]\nparallel = {os.cpu_count() or 1}\n", encoding="utf-8")
    run(
        [
            *(builder, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"),
            *("--wheel-dir", out, scratch / "sources"),
        ],
        env=_environment() | {"DIST_EXTRA_CONFIG": str(options)},
        umask=0o022,
    )
    (made,) = out.glob("*.whl")
    return Path(shutil.move(made, into / made.name))


def _environment() -> dict[str, str]:
    """Return our environment with what makes a build the same on every machine."""
    compiler = os.environ.get("CC", "gcc")
    return os.environ | {
        "SOURCE_DATE_EPOCH": str(sources.committed_at()),
        # In place of those that the machine's Python was built with: debug information and run paths name
        # directories of this machine.
        "CFLAGS": "-O3 -DNDEBUG -fno-strict-overflow -Wall -g0",
        "LDFLAGS": "-Wl,--strip-all",
        "LDSHARED": f"{compiler} -shared",
        "PYTHONHASHSEED": "0",
    }
