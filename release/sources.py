"""The files that a build needs, copied to a place of their own: what lies about in a checkout stays there."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[1]
CLIENT = ROOT / "release" / "client"

# Installed as share/doc/fastpay.
DOCUMENTS = ("CHANGELOG.md", "SECURITY.md")
# Beside the package itself.
_PROJECT = ("pyproject.toml", "setup.py", "README.md", "LICENSE", "licenses/libnghttp2.txt", *DOCUMENTS)
# A checkout in use has these in the package: compiled code, and what Cython writes beside its sources.
_MADE = ("*.so", "*.c", "_native/*.html", "__pycache__", "__pycache__/*")
# Needed to build, and by nobody who has the compiled module.
_BUILT_FROM = ".pxd"
# The first year that a zip file can name.
_EARLIEST = 315_532_800


def copy_sources(target: Path) -> None:
    """Copy the package and what builds it into a new directory."""
    for name in _PROJECT:
        _copy(ROOT / name, target / name)
    for path in _files():
        _copy(ROOT / path, target / path)


def copy_compiled(target: Path) -> None:
    """Give a copy what this checkout has compiled for the running Python, as if compiled there."""
    library = target / f"build/lib.{sysconfig.get_platform()}-{sys.implementation.cache_tag}"
    written = ROOT / "build" / "cython" / "fastpay" / "_native"
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    # In this order, because what is newer than its sources is not made again.
    for path in sorted(written.glob("*.c")):
        _copy(path, target / path.relative_to(ROOT))
    for path in sorted((ROOT / "fastpay" / "_native").glob(f"*{suffix}")):
        _copy(path, library / path.relative_to(ROOT))


def copy_client(target: Path, version: str) -> None:
    """Copy what the small package for clients is built from: the module under the name that they import."""
    for name in ("pyproject.toml", "README.md"):
        _copy(CLIENT / name, target / name)
    _copy(ROOT / "LICENSE", target / "LICENSE")
    _copy(ROOT / "fastpay" / "signing.py", target / "fastpay_signing" / "__init__.py")
    _copy(ROOT / "fastpay" / "py.typed", target / "fastpay_signing" / "py.typed")
    (target / "VERSION").write_text(version + "\n", encoding="utf-8")


def packaged() -> list[PurePosixPath]:
    """Return the files of the tree that a wheel contains; a compiled module is named by its .pyx."""
    return [path for path in _files() if path.suffix != _BUILT_FROM]


def committed_at() -> int:
    """Return the time of the commit that is built, in seconds since 1970: that of all files in archives."""
    asked = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return int(asked.stdout) if asked.returncode == 0 and asked.stdout.strip() else _EARLIEST


def _files() -> list[PurePosixPath]:
    package = ROOT / "fastpay"
    inside = [path for path in package.rglob("*") if path.is_file()]
    kept = [path for path in inside if not any(path.match(pattern) for pattern in _MADE)]
    return sorted(PurePosixPath(path.relative_to(ROOT).as_posix()) for path in kept)


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    # An archive holds the modes of files too, and those of a checkout depend on its umask.
    target.chmod(0o644)
