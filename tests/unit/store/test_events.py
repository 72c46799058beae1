"""The index of events by type holds what the statement looks for in it."""

import re
from pathlib import Path

from fastpay.domain import events
from fastpay.store.statements import SQL
from tests.support import tree

_MIGRATION = Path("fastpay/store/migrations/versions/0013_events_by_type.sql")


def left_out(text: str) -> list[str]:
    return [name for names in re.findall(r"<> all \('\{([\w.,]+)\}'\)", text) for name in names.split(",")]


def test_the_statement_has_the_words_of_the_index() -> None:
    names = left_out(tree.read(_MIGRATION))
    unseen = {name for name in events.UNSEEN if not name.startswith("ledger.")}
    # Of the types that clients never see, rare ones may be in the index: nobody looks for them there.
    assert events.FREQUENT < set(names) <= events.FREQUENT | unseen
    assert left_out(SQL["list_rare_events_up"]) == left_out(SQL["list_rare_events_down"]) == names
