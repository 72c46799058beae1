"""What checks of an installation find, and how it is shown."""

from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Finding(msgspec.Struct, frozen=True):
    """The result of one check: what was found, and what to do about it."""

    check: str
    state: Literal["good", "note", "fault"]
    seen: str
    advice: str = ""


def show(console: Console, findings: list[Finding]) -> None:
    """Print the table, and below it the advice: each on one line of any length, so that it can be copied.

    Texts are printed without markup and in full.
    """
    table = Table()
    for heading in ("check", "state", "seen"):
        table.add_column(heading, overflow="fold")
    colours = {"good": "green", "note": "yellow", "fault": "red"}
    for finding in findings:
        state = Text(finding.state, style=colours[finding.state])
        table.add_row(Text(finding.check), state, Text(finding.seen))
    console.print(table)
    for finding in findings:
        if finding.advice:
            console.print(Text(f"{finding.check}: {finding.advice}"), soft_wrap=True)
