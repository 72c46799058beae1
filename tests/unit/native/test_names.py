"""The compiled table of header names against a dictionary."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpay._native.names import Names
from tests.reference import names as oracle

TOKEN = "!#$%&'*+-.^`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
KNOWN = st.dictionaries(
    st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20).map(str.encode),
    st.integers(1, 100),
    max_size=64,
)


@given(KNOWN, st.data())
def test_every_name_leads_where_a_dictionary_leads(kinds: dict[bytes, int], data: st.DataObject) -> None:
    table, plain = Names(kinds), oracle.Names(kinds)
    asked = [name.upper() for name in kinds] + [name.title() for name in kinds] + list(kinds)
    asked += data.draw(st.lists(st.text(TOKEN, max_size=20).map(str.encode), max_size=20))
    for name in asked:
        assert table.look_up(name) == plain.look_up(name)


def test_a_caret_is_not_a_tilde() -> None:
    assert Names({b"a~": 3}).look_up(b"a^") == (b"a^", 0)


def test_a_table_that_is_full_still_ends_every_search() -> None:
    table = Names({b"%d" % number: number + 1 for number in range(64)})
    assert table.look_up(b"63") == (b"63", 64)
    assert table.look_up(b"64") == (b"64", 0)


def test_more_names_than_there_is_room_for_are_refused() -> None:
    with pytest.raises(ValueError, match="65 header names"):
        Names({b"%d" % number: 1 for number in range(65)})
