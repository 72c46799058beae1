"""What a planted bug is."""

from typing import NamedTuple


class Mutant(NamedTuple):
    """A bug: in this file, `old` (there once) becomes `new`, and these tests are to fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
