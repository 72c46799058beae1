"""The code blocks of the project's pages, and the programs that run them."""

import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "SECURITY.md",
    "benchmarks/README.md",
    "docs/**/*.md",
)
# Where the pages' examples expect the server.
ADDRESS = "http://127.0.0.1:8000"
PATIENCE_SECONDS = 60


class Block(msgspec.Struct, frozen=True):
    """A fenced block: its page, the language after the fence, its text and the line that it starts on."""

    page: str
    language: str
    text: str
    line: int

    @property
    def program(self) -> str:
        """The first word: what runs the block where no language is named."""
        return self.text.split(maxsplit=1)[0]

    def commands(self) -> list[list[str]]:
        """Return the words of each command, as a shell reads them, without variables replaced."""
        joined = self.text.replace("\\\n", " ")
        return [words for line in joined.splitlines() if (words := shlex.split(line, comments=True))]


def find_blocks() -> list[Block]:
    """Return all blocks of all pages."""
    found = []
    for path in sorted(path for pattern in PAGES for path in ROOT.glob(pattern)):
        text = path.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(path.relative_to(ROOT).as_posix(), match[1], match[2], line))
    return found


def block(language: str, containing: str) -> str:
    """Return the text of the first block of a language that contains this."""
    texts = [one.text for one in find_blocks() if one.language == language and containing in one.text]
    assert texts, f"no page has a block of {language or 'text'} with {containing}"
    return texts[0]


def run(command: Sequence[str], *, cwd: Path | None = None, **environment: str) -> str:
    """Run a program to its end and return what it printed."""
    ran = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, f"{shlex.join(command)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout
