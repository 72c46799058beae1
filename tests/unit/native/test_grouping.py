"""What was decided, sorted by its tables: as the oracle does it a row at a time."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.grouping import Sorter, group
from tests.reference import grouping as oracle


class _Object(msgspec.Struct, frozen=True, gc=False):
    id: str


class _Charge(_Object, frozen=True, gc=False):
    amount: int = 0


class _Attempt(_Object, frozen=True, gc=False):
    status: str = "open"


class _Transfer(_Object, frozen=True, gc=False):
    """Has no snapshots."""


class _Versioned(msgspec.Struct, frozen=True, gc=False):
    object: _Object
    version: int


class _Submission(msgspec.Struct, frozen=True, gc=False):
    scope: str
    action: str | None = None


class _Draft:
    __slots__ = ("accounts", "events", "opened", "transfers", "versions")

    def __init__(self, versions: Any, transfers: Any = (), events: Any = (), accounts: Any = ()) -> None:
        self.versions, self.transfers, self.events = list(versions), list(transfers), list(events)
        self.accounts = dict(accounts)
        # Whoever opens an account moves it.
        self.opened = [one for one, amount in self.accounts.items() if amount % 3 == 0]


_NUMBERS: dict[Any, int | None] = {_Charge: 4, _Attempt: 25, _Transfer: None}
_SORTER = Sorter(_Submission, _Draft, _Versioned, _Object, _NUMBERS)

_OBJECTS = st.sampled_from(list(_NUMBERS)).flatmap(lambda kind: st.builds(kind, id=st.sampled_from("abc")))
_VERSIONS = st.builds(_Versioned, object=_OBJECTS, version=st.integers(1, 300))
_SUBMISSIONS = st.builds(_Submission, scope=st.sampled_from("xy"), action=st.none() | st.just("refund"))
_DRAFTS = st.builds(
    _Draft,
    st.lists(_VERSIONS, max_size=4),
    st.lists(st.integers(), max_size=3),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.sampled_from("pqr"), st.integers(0, 9)),
)
_ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(), st.text(max_size=2)))


@given(st.lists(st.tuples(_SUBMISSIONS, _DRAFTS), max_size=5))
def test_what_was_decided_is_sorted_by_its_tables(drafts: list[tuple[Any, Any]]) -> None:
    assert _SORTER.sort(drafts) == oracle.sort(drafts, _NUMBERS)


@pytest.mark.parametrize(
    ("versions", "state"),
    [
        ([("a", 1), ("b", 1)], "new"),
        ([("a", 2), ("b", 3)], "known"),
        ([("a", 2), ("a", 3)], "mixed"),
        ([("a", 1), ("a", 2)], "mixed"),
    ],
)
def test_new_objects_are_told_from_known_ones(versions: list[tuple[str, int]], state: str) -> None:
    draft = _Draft([_Versioned(_Charge(identifier), number) for identifier, number in versions])
    assert [(kind, found) for kind, found, _ in _SORTER.sort([(_Submission("x"), draft)])[1]] == [
        (_Charge, state)
    ]


@given(_ROWS)
def test_rows_are_told_apart_by_their_keys(rows: list[tuple[str, int, str]]) -> None:
    keys, *parts = ([row[place] for row in rows] for place in range(3))
    made, expected = group(keys, tuple(parts)), oracle.group(keys, tuple(parts))
    assert list(made.items()) == list(expected.items())


def test_lists_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="each key"):
        group([1], ([1, 2],))
    with pytest.raises(ValueError, match="each key"):
        group([1], ([1], []))
    wrong: Any = (1,)
    with pytest.raises(TypeError):
        group([1], (wrong,))


def test_what_was_not_decided_is_refused() -> None:
    submission, draft = _Submission("x"), _Draft([])
    for wrong in ((draft, draft), (submission, submission), (submission,), None):
        with pytest.raises(TypeError, match="what was decided"):
            _SORTER.sort([wrong])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="no kind"):
        _SORTER.sort([(submission, _Draft([_Versioned(_Object("a"), 1)]))])
    with pytest.raises(TypeError, match="what was decided"):
        _SORTER.sort([(submission, _Draft([_Charge("a")]))])
    draft.versions = ()  # type: ignore[assignment]
    with pytest.raises(TypeError):
        _SORTER.sort([(submission, draft)])
    del draft.versions
    with pytest.raises(AttributeError, match="not set"):
        _SORTER.sort([(submission, draft)])


def test_kinds_that_cannot_be_sorted_are_refused() -> None:
    with pytest.raises(TypeError, match="a kind is no _Object"):
        Sorter(_Submission, _Draft, _Versioned, _Object, {_Submission: 1})
    with pytest.raises(TypeError, match="has no field"):
        Sorter(_Submission, _Object, _Versioned, _Object, {})
    with pytest.raises(ValueError, match="more than 64 kinds"):
        Sorter(_Submission, _Draft, _Versioned, _Object, dict.fromkeys(range(65)))
