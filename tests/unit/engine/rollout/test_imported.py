"""Imported objects are found by the identifiers of the older API, and nobody else waits for that."""

from collections.abc import Collection, Mapping, Sequence

import pytest

from fastpay import limits
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.engine.rollout.imported import Imported
from fastpay.errors import DatabaseUnavailable

OURS, THEIRS = "cus_0198c0de12347abc8def0123456789ab", "cus_OldCustomer1"
OWN, OTHER = Scope("0" * 32, livemode=False), Scope("0" * 32, livemode=True)


class Store:
    """Satisfies `ImportedStore`."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.rows = {THEIRS: OURS}
        self.is_away = False

    async def read_scopes(self) -> Collection[Scope]:
        return [OWN]

    async def find_ours(self, scope: Scope, theirs: Sequence[str]) -> Mapping[str, str]:
        if self.is_away:
            raise DatabaseUnavailable("away")
        assert scope == OWN
        self.asked += theirs
        return {one: self.rows[one] for one in theirs if one in self.rows}


async def imported(store: Store) -> Imported:
    made = Imported(store, clock=SystemClock())
    assert not made
    await made.read()
    assert made
    return made


async def test_what_was_imported_is_asked_for_once_and_all_else_each_time() -> None:
    found = await imported(store := Store())
    for _ in range(2):
        assert await found.ours_of(OWN, [THEIRS, OURS, "cus_OldCustomer2"]) == {THEIRS: OURS}
    assert sorted(store.asked) == [THEIRS, "cus_OldCustomer2", "cus_OldCustomer2"]


async def test_a_tenant_that_imported_nothing_never_waits_for_the_database() -> None:
    found = await imported(store := Store())
    store.is_away = True
    assert await found.ours_of(OTHER, [THEIRS]) == {}
    assert await found.ours_of(OWN, [OURS]) == {}
    with pytest.raises(DatabaseUnavailable):
        await found.ours_of(OWN, [THEIRS])


async def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "imported_identifiers_kept", 2)
    found = await imported(store := Store())
    store.rows = {f"cus_OldCustomer{number}": OURS for number in range(5)}
    for theirs in store.rows:
        await found.ours_of(OWN, [theirs])
        assert len(found._known) <= 2
