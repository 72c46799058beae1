"""Pages of both sides against one list of everything, over all ways to page and to give less than asked."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay.engine.rollout import merging
from fastpay.engine.rollout.choice import FASTPAY, LEGACY, Side
from fastpay.engine.rollout.merging import Item, Part, Window
from fastpay.errors import LegacyUnmergeable

MOMENTS = st.lists(st.integers(1, 6), max_size=14)
SIDES: tuple[Side, Side] = (FASTPAY, LEGACY)


def items_of(side: Side, moments: list[int]) -> list[Item]:
    return [
        Item(created, f"{side}{number}", msgspec.Raw(b"{}"))
        for number, created in enumerate(sorted(moments, reverse=True))
    ]


def part_of(own: list[Item], cursor: Item | None, side: Side, count: int, *, backward: bool) -> Part:
    """Return what a side gives: next to the cursor if that is its own, by time otherwise."""
    if cursor is None:
        fitting = own
    elif cursor in own:
        place = own.index(cursor)
        fitting = own[:place] if backward else own[place + 1 :]
    else:
        window = merging.beside(side, cursor.created, backward=backward)
        fitting = [one for one in own if window.has(one.created)]
    given = fitting[max(0, len(fitting) - count) :] if backward else fitting[:count]
    return Part(given, len(fitting) > count)


@given(
    MOMENTS, MOMENTS, st.integers(1, 5), st.lists(st.integers(1, 5), min_size=2, max_size=2), st.booleans()
)
def test_pages_show_each_object_once_and_in_one_order(
    here: list[int], there: list[int], limit: int, most: list[int], backward: bool
) -> None:
    sides = [items_of(side, moments) for side, moments in zip(SIDES, (here, there), strict=True)]
    everything = sorted(
        (one for own in sides for one in own), key=lambda one: (-one.created, one in sides[1])
    )
    if backward and not everything:
        return
    walked = [everything[-1]] if backward else list[Item]()
    for _ in range(len(everything) + 1):
        cursor = None if not walked else walked[0 if backward else -1]
        parts = [
            part_of(own, cursor, side, min(limit, count), backward=backward)
            for own, side, count in zip(sides, SIDES, most, strict=True)
        ]
        page = merging.merge(*parts, limit=limit, backward=backward)
        assert len(page.items) <= limit
        walked = [*page.items, *walked] if backward else [*walked, *page.items]
        if not page.has_more:
            break
        assert page.items
    assert walked == everything


def test_nothing_is_known_behind_a_part_that_shows_nothing_and_has_more() -> None:
    other = Part(items_of(LEGACY, [5, 4]), has_more=False)
    assert merging.merge(Part([], True), other, limit=9, backward=False) == Part([], True)


@pytest.mark.parametrize(
    "listed",
    [
        b"",
        b"ok",
        b"[]",
        b'{"data": {}}',
        b'{"data": [{"id": 5, "created": 5}]}',
        b'{"data": [{"id": "a"}]}',
        b'{"data": [{"id": "a", "created": "5"}]}',
        b'{"data": [], "has_more": true}',
        b'{"data": [{"id": "a", "created": 5}, {"id": "b", "created": 6}]}',
        b'{"data": [{"id": "a", "created": 9}]}',
        b'{"data": [{"id": "a", "created": 1}]}',
        b"[" * 100_000,
    ],
)
def test_a_list_whose_place_among_others_is_not_known_is_refused(listed: bytes) -> None:
    with pytest.raises(LegacyUnmergeable):
        merging.read_list(listed, Window(2, 9))


def test_a_window_is_what_both_bounds_leave() -> None:
    assert Window(3, None).within(Window(5, 9)) == Window(5, 9)
    assert Window(3, 4).within(Window()) == Window(3, 4)


def balance(**lines: list[dict[str, Any]]) -> bytes:
    return msgspec.json.encode({"object": "balance", "livemode": False, **lines})


def test_balances_are_added_and_what_one_side_has_is_kept() -> None:
    own = balance(
        available=[{"amount": 5, "currency": "usd", "source_types": {"card": 5}}],
        instant_available=[{"amount": 5, "currency": "usd", "net_available": [{"amount": 1}]}],
    )
    other = balance(
        available=[
            {"amount": -9, "currency": "usd", "source_types": {"card": -10, "bank_account": 1}},
            {"amount": 7, "currency": "eur"},
        ],
        instant_available=[{"amount": 2, "currency": "usd", "net_available": [{"amount": 2}]}],
        more=[{"amount": 3}],
    )
    assert msgspec.json.decode(msgspec.json.encode(merging.add_balances(own, other))) == {
        "object": "balance",
        "livemode": False,
        "available": [
            {"amount": 7, "currency": "eur"},
            {"amount": -4, "currency": "usd", "source_types": {"bank_account": 1, "card": -5}},
        ],
        "instant_available": [
            {"amount": 7, "currency": "usd", "net_available": [{"amount": 1}, {"amount": 2}]}
        ],
        "more": [{"amount": 3}],
    }


@pytest.mark.parametrize(
    "other", [b"", b"[]", b'{"livemode": true}', balance(available=[{"amount": 1.5, "currency": "usd"}])]
)
def test_what_is_no_balance_is_not_added(other: bytes) -> None:
    with pytest.raises(LegacyUnmergeable):
        merging.add_balances(balance(available=[]), other)
