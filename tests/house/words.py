"""Words that no file of the project may hold."""

import re

# Put together here, so that this file does not hold them either.
_UNFINISHED = "|".join(("TO" + "DO", "FIX" + "ME", "X" + "XX"))
_MACHINE = "|".join(("/wo" + "rk/", "/tm" + "p/wt", "/ro" + "ot/", "/ho" + r"me/\w+/", "/Us" + r"ers/\w+/"))
_PATTERN = re.compile(rf"\b(?:{_UNFINISHED})\b|(?<![\w.])(?:{_MACHINE})")


def check_words(path: str, source: str) -> list[str]:
    """Find notes to finish something later, and paths of the machine that somebody worked on."""
    return [
        f"{path}:{source.count(chr(10), 0, match.start()) + 1}: '{match[0]}' must not be here"
        for match in _PATTERN.finditer(source)
    ]
