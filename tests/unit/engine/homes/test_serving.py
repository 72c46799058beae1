"""What a home tells an instance of the commits of tenants that it asks for."""

import asyncio
from collections.abc import Callable
from typing import cast

from benchmarks.samples import SCOPE, new_submission
from fastpay.clock import SystemClock
from fastpay.domain.identifiers import Scope
from fastpay.domain.plan import Answer, Versioned
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.homes import codec, messages
from fastpay.engine.homes.ports import Member, OwnWriter
from fastpay.engine.homes.serving import Serving
from fastpay.engine.ports import Commit, Outcome, Reply, Submission
from fastpay.engine.read.copy_ports import Seen
from tests.support.samples import charge

MEMBER = Member("0" * 32, "release", "socket")
OTHER = Scope("1" * 32, livemode=True)
CHANGED = Versioned(charge(), version=2, sequence=2)


class Guest:
    """A member that asks. Satisfies `Wire`, and stands for the home's writer as well."""

    is_full = False

    def __init__(self, *, notice_of_new_ms: int = 60_000) -> None:
        self.received: Callable[[bytes], None] = lambda _: None
        self.lost: Callable[[], None] = lambda: None
        self.told: list[messages.Answers] = []
        self.replies: list[Reply] = []
        writer, clock = cast(OwnWriter, self), SystemClock()
        self.serving = Serving(MEMBER, writer, self.show, clock=clock, notice_of_new_ms=notice_of_new_ms)
        self.serving.accept(self)
        self.received(messages.encode(messages.Hello("release", "1" * 32, MEMBER.member_id)))

    def send(self, frame: bytes) -> None:
        """Keep what is said of commits and commands."""
        message = messages.decode(frame)
        if isinstance(message, messages.Answers):
            self.told.append(message)

    def close(self) -> None:
        """End."""

    abort = close

    def show(self, scope: Scope, identifier: str) -> Seen | None:
        """Show one object of one tenant."""
        return Seen(CHANGED, 2, 5) if (scope, identifier) == (SCOPE, CHANGED.object.id) else None

    def admit(self, scope: Scope) -> None:
        """Take all."""

    def put(self, submission: Submission, reply: Reply) -> None:
        """Have a command wait for `answer`."""
        self.replies.append(reply)

    def ask(self, *scopes: Scope) -> None:
        """Ask for a command of each tenant."""
        asked = [codec.encode_submission(1, new_submission(1, scope), 0) for scope in scopes]
        self.received(messages.encode_forward(asked))

    def commit(self, scope: Scope, before: int, after: int, *versions: Versioned) -> None:
        """Commit at the home."""
        self.serving.committed([Commit(scope, before, after, list(versions))])

    def answer(self) -> None:
        """Answer the oldest command."""
        self.replies.pop(0).set_result(Outcome(answer=Answer(None, 1), objects={}))

    def ranges(self) -> list[tuple[Scope, int, int, int]]:
        """Return what was told of commits: tenant, sequence before and after, how many objects changed."""
        return [
            (codec.scope_of(one), one.before, one.after, len(one.changed))
            for frame in self.told
            for one in frame.commits
        ]


async def test_commits_of_new_objects_are_told_as_one_with_the_next_answer_of_their_tenant() -> None:
    guest = Guest()
    guest.ask(SCOPE, OTHER)
    for number in range(3):
        guest.commit(SCOPE, number, number + 1)
        guest.commit(OTHER, number, number + 1)
    await asyncio.sleep(0)
    assert guest.told == []
    guest.answer()
    await asyncio.sleep(0)
    assert guest.ranges() == [(SCOPE, 0, 3, 0)]
    assert [len(frame.answered) for frame in guest.told] == [1]
    guest.answer()
    await asyncio.sleep(0)
    assert guest.ranges()[1:] == [(OTHER, 0, 3, 0)]


async def test_what_another_instance_wrote_between_stays_a_gap() -> None:
    guest = Guest()
    guest.ask(SCOPE)
    for before, after in ((0, 1), (1, 2), (4, 5), (5, 6)):
        guest.commit(SCOPE, before, after)
    guest.answer()
    await asyncio.sleep(0)
    assert guest.ranges() == [(SCOPE, 0, 2, 0), (SCOPE, 4, 6, 0)]


async def test_a_change_is_told_soon_and_after_what_was_committed_before_it() -> None:
    guest = Guest()
    guest.ask(SCOPE, OTHER)
    guest.commit(OTHER, 0, 1)
    guest.commit(SCOPE, 0, 1)
    guest.commit(SCOPE, 1, 2, CHANGED)
    guest.commit(SCOPE, 2, 3)
    while not guest.told:  # noqa: ASYNC110  the home tells by itself
        await asyncio.sleep(0.001)
    assert guest.ranges() == [(SCOPE, 0, 1, 0), (SCOPE, 1, 2, 1)]
    await guest_leaves(guest)
    assert guest.ranges()[2:] == [(SCOPE, 2, 3, 0), (OTHER, 0, 1, 0)]


async def test_a_new_endpoint_is_told_of_as_a_change_is() -> None:
    guest = Guest()
    guest.ask(SCOPE)
    endpoint = WebhookEndpoint(id="we_" + "1" * 32, created=0)
    # Events that others hold as delivered are pending from now on.
    guest.commit(SCOPE, 0, 1, Versioned(endpoint, version=1, sequence=1))
    guest.answer()
    await asyncio.sleep(0)
    (told,) = guest.told[0].commits
    assert [(one.identifier, one.version) for one in told.changed] == [(endpoint.id, 1)]


async def test_commits_of_new_objects_are_told_after_a_while_by_themselves() -> None:
    guest = Guest(notice_of_new_ms=1)
    guest.ask(SCOPE)
    guest.commit(OTHER, 0, 1)
    guest.commit(SCOPE, 0, 1)
    while not guest.told:  # noqa: ASYNC110  the home tells by itself
        await asyncio.sleep(0.001)
    assert guest.ranges() == [(SCOPE, 0, 1, 0)]


async def guest_leaves(guest: Guest) -> None:
    """Have the home answer everything, and close."""
    while guest.replies:
        guest.answer()
    await guest.serving.close()
