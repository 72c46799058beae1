"""The comparisons themselves can say no."""

from pathlib import Path

import pytest
import stripe

from tests.support.dialect import example, missing_keys, violations

CARD = {"amount": 5, "currency": "usd", "source_types": {"card": 5}}


def balance(**changes: object) -> dict[str, object]:
    return {"object": "balance", "available": [CARD], "livemode": False, "pending": [CARD], **changes}


def refund(**changes: object) -> dict[str, object]:
    return {"id": "re_1", "object": "refund", "amount": 5, "created": 1, "currency": "usd", **changes}


def test_a_missing_key_is_named_with_its_path() -> None:
    fixture = {"a": 1, "b": {"c": None, "d": {"e": 1}}, "metadata": {"theirs": "1"}, "list": [{"x": 1}]}
    rendered = {"b": {"d": {}}, "metadata": {}, "list": [{"x": 1}, {}]}
    assert missing_keys(rendered, fixture) == ["a", "b.c", "b.d.e", "list[1].x"]


def test_what_is_null_or_only_named_misses_nothing() -> None:
    assert missing_keys({"a": None, "b": "obj_1"}, {"a": {"x": 1}, "b": {"y": 1}}) == []


def test_what_the_annotations_allow_has_no_violations() -> None:
    assert violations(balance(), stripe.Balance) == []
    assert violations(refund(charge="ch_1", reason="duplicate"), stripe.Refund) == []


@pytest.mark.parametrize(
    ("rendered", "reason"),
    [
        (balance(livemode=None), "livemode: null"),
        (balance(livemode=1), "livemode: 1 is not <class 'bool'>"),
        (balance(object="balances"), "object: 'balances' is not one of ['balance']"),
        (balance(available=[{**CARD, "amount": True}]), "available[0].amount: True is not <class 'int'>"),
        (balance(available=[{**CARD, "amount": 1.5}]), "available[0].amount: 1.5 is not <class 'int'>"),
        (
            balance(available=[{**CARD, "source_types": {"card": "5"}}]),
            "available[0].source_types.card: '5' is not",
        ),
        (balance(pending=[{"amount": 1}]), "pending[0].currency: missing"),
    ],
)
def test_what_the_annotations_forbid_is_named(rendered: dict[str, object], reason: str) -> None:
    (found,) = violations(rendered, stripe.Balance)
    assert found.startswith(reason)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reason": "bored"}, "reason: 'bored' is not one of"),
        ({"metadata": {"a": 1}}, "metadata[a]: 1 is not <class 'str'>"),
        ({"charge": {"id": "cus_1", "object": "customer"}}, "charge: 'customer' is not a Charge"),
        ({"charge": {"object": "nonsense"}}, "charge: 'nonsense' is not the name of an object"),
        ({"charge": 5}, "charge: 5 is not"),
        ({"customer": {"id": "cus_1", "object": "customer", "livemode": False}}, "customer.created: missing"),
    ],
)
def test_what_the_annotations_forbid_inside_is_named(change: dict[str, object], reason: str) -> None:
    (found,) = violations(refund(**change), stripe.Refund)
    assert found.startswith(reason)


def test_an_absent_field_that_must_be_there_is_named() -> None:
    assert violations({"object": "balance", "livemode": True, "pending": []}, stripe.Balance) == [
        "available: missing"
    ]


def test_a_deleted_object_may_stand_where_the_object_stood() -> None:
    assert (
        violations(refund(customer={"id": "cus_1", "object": "customer", "deleted": True}), stripe.Refund)
        == []
    )


def test_the_items_of_a_list_are_looked_at() -> None:
    page = {"object": "list", "url": "/v1/refunds", "has_more": False, "data": [refund(), refund(amount="5")]}
    assert violations(page, stripe.ListObject) == ["data[1].amount: '5' is not <class 'int'>"]


def test_a_test_without_the_published_examples_is_skipped_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "stripe").mkdir()
    monkeypatch.setenv("PUBLIC_TEST_DATA", str(tmp_path))
    with pytest.raises(pytest.skip.Exception, match=r"fixtures3\.json"):
        example("refund")
