"""What the working set forgets of the first answers that it holds, and what it lacks."""

import asyncio
from collections.abc import Iterable

import msgspec
import pytest

from benchmarks.samples import new_command
from fastpay import limits
from fastpay.domain.plan import Answer, Book, Draft, Workspace
from fastpay.engine.ports import IdempotencyRow
from fastpay.engine.write.queued import QueuedSubmission, make_entry
from fastpay.engine.write.working_set import WorkingSet
from tests.support.memory import OTHER_TENANT, TENANT, submission

DIGESTS = {"digest": b"d" * 16, "signature": b"s" * 16}


@pytest.mark.parametrize("found_by", DIGESTS)
@pytest.mark.parametrize("age_ms", [0, limits.first_answer_carried_ms, limits.first_answer_carried_ms + 1])
async def test_an_answer_is_forgotten_when_it_is_old_whatever_it_is_found_by(
    found_by: str, age_ms: int
) -> None:
    sent = submission(new_command())
    digest = DIGESTS[found_by]
    future = asyncio.get_running_loop().create_future()
    entry = QueuedSubmission(sent, b"", 1, future, 1 << 62)
    working_set = WorkingSet()
    moment_ms = sent.moment_ms - age_ms
    row = IdempotencyRow(digest, TENANT, "key", b"f" * 32, Answer("pi_1", 1), "req_1", moment_ms)
    working_set.idempotency[digest] = row
    working_set.forget_old_answers([entry, msgspec.structs.replace(entry, **{found_by: digest})])
    assert (digest in working_set.idempotency) == (age_ms <= limits.first_answer_carried_ms)


_NEEDED = (f"cus_{'0' * 31}1",)


class _NeedsTheSame(msgspec.Struct, frozen=True):
    """A command that needs the same for each tenant, in the same tuple."""

    def needs(self, workspace: Workspace) -> Iterable[str]:
        return _NEEDED

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        raise AssertionError("it is not decided")


async def test_what_one_tenant_has_is_still_missing_for_another() -> None:
    working_set = WorkingSet()
    working_set.open([Book(TENANT, 0), Book(OTHER_TENANT, 0)])
    working_set.workspaces[TENANT].asked.update(_NEEDED)
    entries = [
        make_entry(submission(_NeedsTheSame(), scope=scope), 0) for scope in (TENANT, TENANT, OTHER_TENANT)
    ]
    assert not working_set.lacks(entries[:2], with_keys=False)
    assert working_set.lacks(entries, with_keys=False)
