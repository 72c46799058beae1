"""Metadata: what a change makes of it."""

import pytest

from fastpay import limits
from fastpay.domain.metadata import merge
from fastpay.errors import InvalidRequest


@pytest.mark.parametrize(
    ("present", "change", "merged"),
    [
        ({}, {}, {}),
        ({"a": "1"}, {}, {"a": "1"}),
        ({"a": "1"}, {"b": "2"}, {"a": "1", "b": "2"}),
        ({"a": "1"}, {"a": "2"}, {"a": "2"}),
        ({"a": "1", "b": "2"}, {"a": ""}, {"b": "2"}),
        ({"a": "1"}, {"b": ""}, {"a": "1"}),
        ({"a": "1"}, None, {}),
    ],
)
def test_a_change_adds_replaces_and_takes_away(
    present: dict[str, str], change: dict[str, str] | None, merged: dict[str, str]
) -> None:
    before = dict(present)
    assert merge(present, change) == merged
    assert present == before


def test_as_many_keys_as_allowed_may_stand_and_no_more() -> None:
    full = {str(number): "x" for number in range(limits.metadata_keys_max)}
    assert merge({}, full) == full
    assert merge(full, {"0": "", "new": "y"})["new"] == "y"
    with pytest.raises(InvalidRequest) as refusal:
        merge(full, {"new": "y"})
    assert refusal.value.param == "metadata"
