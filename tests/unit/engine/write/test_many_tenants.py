"""What a batch costs that many tenants share, counted in calls: a busy machine does not matter."""

import sys
from collections.abc import Callable

from benchmarks import samples
from fastpay.domain.identifiers import Scope
from fastpay.engine.write.batch import DecidedBatch
from fastpay.engine.write.queued import make_entry
from fastpay.engine.write.working_set import WorkingSet
from fastpay.store import columns

_PAYMENTS = 64
# Each tenant has a book to write, and three accounts to open and to write. The first transfers of an account
# are not plain ones. A payment takes 100 calls.
_CALLS_A_TENANT_MAX = 80


class _Nobody:
    """Waits for no outcome."""

    def done(self) -> bool:
        return True

    def set_result(self, outcome: object) -> None:
        """Take it."""

    set_exception = set_result


def test_a_batch_of_many_tenants_takes_little_more_work_than_one_of_one_tenant() -> None:
    one, many = (_calls(_batch(tenants)) for tenants in (1, _PAYMENTS))
    assert many - one <= _CALLS_A_TENANT_MAX * (_PAYMENTS - 1)


def test_a_batch_of_many_tenants_takes_the_same_statements_as_one_of_one_tenant() -> None:
    one, many = (columns.encode(_decided(tenants).changes).names for tenants in (1, _PAYMENTS))
    assert many == one


def _batch(tenants: int) -> Callable[[], object]:
    def work() -> None:
        decided = _decided(tenants)
        columns.encode(decided.changes)
        columns.encode_books(decided.found)
        assert len(decided.commits()) == tenants

    return work


def _decided(tenants: int) -> DecidedBatch:
    scopes = [Scope(f"{number:032x}", False) for number in range(tenants)]
    working_set, decided = WorkingSet(), DecidedBatch()
    for scope in scopes:
        working_set.workspaces[scope] = samples.new_workspace(scope)
    for number in range(_PAYMENTS):
        submission = samples.new_submission(number, scopes[number % tenants])
        decided.decide(working_set, make_entry(submission, 0, _Nobody()))
    return decided


def _calls(work: Callable[[], object]) -> int:
    """Return how many functions a piece of work calls, those in C included."""
    work()
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count
