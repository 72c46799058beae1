"""Answers are compared by structure: each fault is found, and a rule hides only what it names."""

import json
from typing import Any

import pytest

from fastpay import limits
from fastpay.engine.rollout.comparison import Comparison, Shown, compare
from fastpay.engine.rollout.rules import DeclaredAndLearned, Noise, Rules
from tests.rollout.differences import FAULTS, OF_LISTS, Fault, without

CHARGE = {
    "id": "ch_018f0000000070008000000000000001",
    "object": "charge",
    "amount": 1999,
    "amount_captured": 1999,
    "amount_refunded": 0,
    "application": None,
    "billing_details": {"tax_id": None},
    "captured": True,
    "created": 1_767_225_600,
    "currency": "usd",
    "disputed": False,
    "metadata": {"order": "7"},
    "paid": True,
    "status": "succeeded",
}
PAGE = {
    "object": "list",
    "data": [CHARGE, CHARGE | {"id": "ch_018f0000000070008000000000000002", "amount": 5}],
    "has_more": False,
}


def compared(legacy: Any, fastpay: Any, rules: Rules = Rules(), noise: Noise | None = None) -> Comparison:  # noqa: B008
    return compare(_shown(legacy), _shown(fastpay), DeclaredAndLearned(rules, noise or Noise()))


def _shown(body: Any) -> Shown:
    return Shown(200, json.dumps(body).encode())


def names(found: Comparison) -> list[str]:
    return [one.name for one in found.differences]


@pytest.mark.parametrize("fault", [*FAULTS, *OF_LISTS], ids=lambda fault: fault.name)
def test_each_fault_is_found_by_one_request(fault: Fault) -> None:
    found = compared(without(fault, PAGE), PAGE)
    assert fault.found in names(found)
    assert not found.hidden


def test_spaces_and_the_order_of_fields_are_no_difference() -> None:
    other = json.dumps(dict(reversed(PAGE.items())), indent=3).encode()
    lens = DeclaredAndLearned(Rules(), Noise())
    assert names(compare(_shown(PAGE), Shown(200, other), lens)) == []


def test_another_status_is_the_only_difference() -> None:
    lens = DeclaredAndLearned(Rules(ignored=("status",)), Noise())
    found = compare(Shown(200, b"{}"), Shown(404, b'{"error":{}}'), lens)
    assert names(found) == ["status (status)"]


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 100_000, b"\xff"])
def test_what_is_no_json_is_equal_only_byte_for_byte(body: bytes) -> None:
    lens = DeclaredAndLearned(Rules(), Noise())
    assert names(compare(Shown(200, body), Shown(200, body), lens)) == []
    assert names(compare(Shown(200, body), Shown(200, b"{}"), lens)) == ["value (body)"]


ID, OTHER_ID = "ch_018f0000000070008000000000000001", "ch_OldCharge1234"
HIDDEN = [
    (Rules(ignored=("error.message",)), {"error": {"message": "a"}}, {"error": {"message": "b"}}),
    (Rules(ignored=("fee",)), {"fee": 1, "a": {"fee": 3}}, {"fee": 2, "a": {}}),
    (Rules(identifiers=("id",)), {"id": ID}, {"id": OTHER_ID}),
    (Rules(identifiers=("secret",)), {"secret": f"{ID}_secret_a"}, {"secret": f"{OTHER_ID}_secret_a"}),
    (Rules(is_write=True), {"url": f"/v1/{ID}/refunds"}, {"url": f"/v1/{OTHER_ID}/refunds"}),
    (Rules(is_write=True), {"created": 1_767_225_600}, {"created": 1_767_225_601}),
    (Rules(times=("created",)), {"created": 1_767_225_600}, {"created": 1_767_225_601}),
    (Rules(times=("at",)), {"at": "2026-01-01T00:00:00Z"}, {"at": "2026-01-01T00:00:01Z"}),
    (Rules(unordered=("data",)), {"data": [1, 2, 3]}, {"data": [3, 1, 2]}),
    (Rules(unordered=("data",), identifiers=("id",)), {"data": [{"id": ID, "a": 1}, {"id": ID, "a": 2}]},
     {"data": [{"id": OTHER_ID, "a": 2}, {"id": OTHER_ID, "a": 1}]}),
]  # fmt: skip


@pytest.mark.parametrize(("rules", "legacy", "fastpay"), HIDDEN)
def test_a_declared_rule_hides_what_it_names_and_is_counted(rules: Rules, legacy: Any, fastpay: Any) -> None:
    found = compared(legacy, fastpay, rules)
    assert names(found) == []
    assert sum(found.hidden.values()) >= 1
    assert names(compared(legacy, fastpay)) != []


NOT_HIDDEN = [
    (Rules(is_write=True), {"amount": 1_999_000_000}, {"amount": 1_999_000_001}, "money amount"),
    (Rules(is_write=True), {"id": ID}, {"id": "pi_018f0000000070008000000000000001"}, "value id"),
    (Rules(identifiers=("id",)), {"id": ID}, {"id": "pi_018f0000000070008000000000000001"}, "value id"),
    (Rules(identifiers=("id",)), {"paid": ID}, {"paid": OTHER_ID}, "value paid"),
    (Rules(times=("amount",)), {"amount": 199_900}, {"amount": 1999}, "money amount"),
    (Rules(ignored=("created",)), {"created_by": 1}, {"created_by": 2}, "value created_by"),
    (Rules(unordered=("data",)), {"data": [1, 2]}, {"data": [2, 3]}, "value data[]"),
    (Rules(unordered=("data",)), {"data": [1, 2, 2]}, {"data": [2, 1]}, "missing data[]"),
]


@pytest.mark.parametrize(("rules", "legacy", "fastpay", "name"), NOT_HIDDEN)
def test_a_declared_rule_hides_nothing_else(rules: Rules, legacy: Any, fastpay: Any, name: str) -> None:
    assert names(compared(legacy, fastpay, rules)) == [name]


def test_what_the_legacy_api_changes_by_itself_is_noise() -> None:
    noise = Noise()
    noise.learn(compared({"a": 1, "list": [1, 2]}, {"a": 2, "list": [2, 1], "b": 1}).differences)
    found = compared({"a": 3, "list": [3, 4], "b": 1}, {"a": 4, "list": [4, 3]}, noise=noise)
    assert names(found) == []
    assert dict(found.hidden) == {
        "learned: value a": 1,
        "learned: order list": 1,
        "learned: missing b": 1,
    }
    assert names(
        compared({"a": 3, "list": [3, 4], "c": 1}, {"a": 4, "list": [4, 5], "c": 2}, noise=noise)
    ) == [
        "value list[]",
        "value c",
    ]


def test_money_and_the_status_are_never_noise() -> None:
    noise = Noise()
    lens = DeclaredAndLearned(Rules(), Noise())
    noise.learn(compared({"amount": 1, "currency": "usd"}, {"amount": 2, "currency": "eur"}).differences)
    noise.learn(compare(Shown(200, b"{}"), Shown(500, b"{}"), lens).differences)
    found = compared({"amount": 1, "currency": "usd"}, {"amount": 2, "currency": "eur"}, noise=noise)
    assert names(found) == ["money amount", "money currency"]


def test_noise_that_was_not_seen_for_long_is_forgotten() -> None:
    noise = Noise()
    noise.learn(compared({"a": 1}, {"a": 2}).differences)
    for _ in range(limits.comparison_noise_samples):
        assert names(compared({"a": 1}, {"a": 2}, noise=noise)) == []
        noise.learn([])
    assert names(compared({"a": 1}, {"a": 2}, noise=noise)) == ["value a"]


def test_what_clients_name_is_not_in_a_path() -> None:
    found = compared({"metadata": {"4242424242424242": "a"}, "a b": 1}, {"metadata": {}, "a b": 2})
    assert names(found) == ["missing metadata.*", "value *"]


def test_an_answer_of_too_many_values_is_never_equal() -> None:
    many = list(range(limits.comparison_values_max + 1))
    found = compared({"a": many}, {"a": [one + 1 for one in many]})
    assert 0 < len(found.differences) <= limits.comparison_differences_max
