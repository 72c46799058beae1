"""The files that the house rules speak of."""

import functools
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]


@functools.cache
def tracked() -> tuple[Path, ...]:
    """Return every file that belongs to the project, relative to its root.

    Files not yet committed are among them, so that a rule is broken before the commit and not after it.
    """
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        # An unpacked source archive knows no git.
        inside = (path.relative_to(ROOT) for path in ROOT.rglob("*") if path.is_file())
        return tuple(sorted(path for path in inside if not _made(path)))
    return tuple(sorted(Path(line) for line in listing.stdout.splitlines() if (ROOT / line).is_file()))


def under(folder: str, *suffixes: str) -> list[Path]:
    """Return the project's files below `folder` that end in one of `suffixes`."""
    inside = [path for path in tracked() if path.is_relative_to(folder)]
    return [path for path in inside if path.suffix in suffixes]


def read(path: Path) -> str:
    """Return the text of a file of the project."""
    return (ROOT / path).read_text(encoding="utf-8")


def _made(path: Path) -> bool:
    """Say whether a file was made by a tool, where git cannot say it."""
    made = {"build", "dist", "node_modules", "__pycache__"}
    hidden = any(part.startswith(".") and part != ".ci" for part in path.parts)
    return hidden or bool(made & set(path.parts)) or path.suffix in {".so", ".c", ".html"}
