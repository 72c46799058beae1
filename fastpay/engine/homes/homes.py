"""The write path of an instance among others: it sends each command to the home of its tenant.

The home is a hint, and never a lock: the book and its sequence decide. Members that this one cannot reach, or
that are leaving, are not chosen. That another instance chooses differently costs a conflict at most:

    what happens                                     the command
    -----------------------------------------------  ------------------------------------------------------
    there are no others, or this is the home         is written here
    too much waits for the home                      is written here
    the home answers                                 has that answer; a refusal is an answer as well
    the home has not begun it, and never will        is written here
    no answer, or an answer that says "unknown"      is written here under its key: either it is found done,
                                                     and that answer is given, or it is done now

The last row is right whatever the home does, or does later: a first answer is kept under each key once. A
command without a key gets one of its request identifier before it is sent. So nothing is carried out twice,
and no client is told anything before the database was asked.
"""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

import msgspec

from fastpay import limits
from fastpay.clock import Clock
from fastpay.domain.identifiers import Scope
from fastpay.engine.failures import UnknownOutcome
from fastpay.engine.homes.choice import choose_home, homes_among
from fastpay.engine.homes.link import Link, Unanswered, Unbegun
from fastpay.engine.homes.membership import Membership
from fastpay.engine.homes.ports import Follower, Member, Network, OwnWriter
from fastpay.engine.homes.serving import Serving
from fastpay.engine.ports import Outcome, Reply, Submission
from fastpay.errors import DatabaseUnavailable, FastpayError, OutcomeUnknown
from fastpay.observability import telemetry

_log = telemetry.Log("fastpay.homes")

_UNKNOWN = (
    "Neither the instance that carries this out nor the database answers. Look whether this took effect "
    "before you send it again, and give an idempotency key with every request that must not happen twice."
)
_UNKNOWN_BY_KEY = (
    "Neither the instance that carries this out nor the database answers. Send the request again with the "
    "same idempotency key to learn what became of it."
)


class Homes:
    """Satisfies `Writer` and `Neighbours`: forwards commands to the homes of their tenants, names these to
    the read path, and serves as a home.

    `admit`, `submit` and `put` are those of the writer itself while there are no other members. So an
    instance that is alone does nothing of this.
    """

    def __init__(
        self,
        own: Member,
        writer: OwnWriter,
        network: Network,
        membership: Membership,
        *,
        follower: Follower,
        clock: Clock,
        notice_of_new_ms: int = limits.home_notice_of_new_ms,
    ) -> None:
        self._own = own
        self._writer = writer
        self._network = network
        self._membership = membership
        self._follower = follower
        self._clock = clock
        self.serving = Serving(own, writer, follower.show, clock=clock, notice_of_new_ms=notice_of_new_ms)
        self.admit: Callable[[Scope], None] = writer.admit
        self.submit: Callable[[Submission], Coroutine[Any, Any, Outcome]] = writer.submit
        self.put: Callable[[Submission, Reply], None] = writer.put
        self._put_elsewhere: set[asyncio.Task[Outcome]] = set()
        self._links: dict[str, Link] = {}
        # By tenant and mode; None stands for this instance.
        self._homes: dict[Scope, Link | None] = {}
        self._home_count = 1
        self._choices = [own.member_id]
        self._has_left = False
        self._closing: set[asyncio.Task[None]] = set()
        self._forwarded = 0
        self._local = 0
        self._asked_again = 0
        self._fallbacks: dict[str, int] = dict.fromkeys(_FALLBACKS, 0)

    async def open(self) -> None:
        """Accept what others forward, and then become a member. Raises: OSError for a bad address."""
        await self._network.listen(self.serving.accept)
        await self._membership.join(
            self._own, report=self._report, changed=self._see, waited_ms=self._writer.take_waited_ms
        )

    async def leave(self) -> None:
        """Hand all tenants over to the others. What they have forwarded is still answered."""
        if self._has_left:
            return
        self._has_left = True
        self._choose_anew()
        self.serving.leave()
        _log.info("homes_left", member=self._own.member_id, members=len(self._links))
        await self._membership.leave()

    async def close(self) -> None:
        """Answer what was forwarded, and close all connections."""
        await self.leave()
        await self.serving.close()
        await self._network.close()
        self._see((), 1)
        if self._closing:
            await asyncio.wait(self._closing)

    def counts(self) -> dict[str, int]:
        """Return what was counted since the start, by name."""
        return {
            "homes_members": len(self._links),
            "homes_active": len(self._choices),
            "homes_forwarded": self._forwarded,
            "homes_served": self.serving.served,
            "homes_local": self._local,
            "homes_asked_again": self._asked_again,
            **{f"homes_fallbacks_{reason}": count for reason, count in self._fallbacks.items()},
        }

    def home(self, scope: Scope) -> Link | None:
        """Return the link to the home of a tenant, None if that is this instance."""
        try:
            return self._homes[scope]
        except KeyError:
            if len(self._homes) >= limits.cached_scopes_max:
                self._homes.clear()
            link = self._links.get(choose_home(scope, self._choices))
            self._homes[scope] = link
            return link

    def _report(self) -> dict[str, int]:
        return {**self.counts(), **self._writer.counts()}

    def _see(self, members: Sequence[Member], home_count: int) -> None:
        """Choose so many homes among these members and this one from now on."""
        self._home_count = home_count
        by_id = {member.member_id: member for member in members[: limits.members_max]}
        for member_id in self._links.keys() - by_id.keys():
            task = asyncio.get_running_loop().create_task(self._links.pop(member_id).close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        for member_id in by_id.keys() - self._links.keys():
            self._links[member_id] = self._connect(by_id[member_id])
        self._choose_anew()
        alone = not self._links
        self.admit = self._writer.admit if alone else self._admit
        self.submit = self._writer.submit if alone else self._submit
        self.put = self._writer.put if alone else self._put
        self._follower.ask(None if alone else self)
        members_count = len(self._links) + 1
        _log.info("homes_changed", member=self._own.member_id, members=members_count, homes=home_count)

    def _connect(self, member: Member) -> Link:
        link = Link(
            member,
            self._own,
            self._network,
            follower=self._follower,
            clock=self._clock,
            changed=self._choose_anew,
        )
        link.start()
        return link

    def _choose_anew(self) -> None:
        """Choose homes among those that are reached and stay, this instance included."""
        self._homes.clear()
        staying = [member_id for member_id, link in self._links.items() if link.is_open]
        members = staying if self._has_left and staying else [self._own.member_id, *staying]
        self._choices = homes_among(members, self._home_count)

    def _admit(self, scope: Scope) -> None:
        """Raise Overloaded if a plain command would be refused where it will be written."""
        link = self.home(scope)
        if link is None or link.is_full:
            self._writer.admit(scope)
        else:
            link.admit(scope)

    async def _submit(self, submission: Submission) -> Outcome:
        """Return what became of a command, wherever it was written. Raises: see `Writer.submit`."""
        # What operators do is rare, and does not travel.
        link = self.home(submission.scope) if submission.action is None else None
        if link is None:
            self._local += 1
            return await self._writer.submit(submission)
        if link.is_full:
            return await self._fall_back(submission, "overloaded")
        keyed = _with_key(submission)
        begun_ns = self._clock.monotonic_ns()
        try:
            future = link.forward(keyed)
        except (TypeError, ValueError, OverflowError):
            return await self._fall_back(submission, "unfit")
        self._forwarded += 1
        try:
            outcome = await future
        except Unbegun:
            return await self._fall_back(submission, "unbegun")
        except Unanswered as failure:
            self._fallbacks[failure.reason] += 1
            return await self._ask_again(submission, keyed, begun_ns, failure.late)
        if submission.timing is not None:
            submission.timing.end("home", self._clock.monotonic_ns())
        return outcome

    def _put(self, submission: Submission, reply: Reply) -> None:
        """Queue a command wherever it is written. Raises: see `Writer.put`."""
        if self.home(submission.scope) is None:
            self._local += 1
            self._writer.put(submission, reply)
            return
        task = asyncio.get_running_loop().create_task(self._submit(submission), name="put elsewhere")
        self._put_elsewhere.add(task)
        task.add_done_callback(partial(self._tell, reply))

    def _tell(self, reply: Reply, task: "asyncio.Task[Outcome]") -> None:
        """Give a reply what became of a command."""
        self._put_elsewhere.discard(task)
        # Looked at in any case, or it would be logged as lost.
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or reply.done():
            return
        if error is None:
            reply.set_result(task.result())
        elif isinstance(error, Exception):
            reply.set_exception(error)

    async def _fall_back(self, submission: Submission, reason: str) -> Outcome:
        self._fallbacks[reason] += 1
        return await self._writer.submit(submission)

    async def _ask_again(
        self,
        submission: Submission,
        keyed: Submission,
        begun_ns: int,
        late: "asyncio.Future[Outcome] | None",
    ) -> Outcome:
        """Find out under the key what became of a command, and carry it out if nothing did.

        It must begin within the time that it had from the first. `late` is what the home may still say.
        """
        self._asked_again += 1
        deadline_ns = begun_ns + limits.begin_timeout_ms * 1_000_000
        if keyed.deadline_ns is not None:
            deadline_ns = min(deadline_ns, keyed.deadline_ns)
        try:
            outcome = await self._writer.submit(msgspec.structs.replace(keyed, deadline_ns=deadline_ns))
        except FastpayError as error:
            if not error.retryable:
                raise
            # Whatever it says of this attempt, the first one may have succeeded.
            if submission.idempotency_key is not None:
                raise DatabaseUnavailable(_UNKNOWN_BY_KEY) from error
            if late is None or isinstance(error.__cause__, UnknownOutcome):
                raise OutcomeUnknown(_UNKNOWN) from error
            # Nothing was done here. If the home says the same, the client may send it again.
            return await _late(late, error)
        if outcome.original_request_id != submission.request_id:
            return outcome
        # Our own first attempt: the client has not seen an answer to it, so this is no replay.
        self._follower.acknowledged(submission.scope, outcome.answer.sequence)
        return msgspec.structs.replace(outcome, original_request_id=None)


# Why a command was written here, though its home is elsewhere. The last four may have been done there.
_FALLBACKS = ("overloaded", "unfit", "unbegun", "gone", "silent", "slow", "unknown")


async def _late(late: "asyncio.Future[Outcome]", error: FastpayError) -> Outcome:
    """Return what the home says at last, or raise `error` if it says that it has not begun.

    Raises: FastpayError that the home's writer raised, OutcomeUnknown if it says nothing.
    """
    try:
        return await late
    except Unbegun:
        raise error from None
    except Unanswered:
        raise OutcomeUnknown(_UNKNOWN) from error


def _with_key(submission: Submission) -> Submission:
    """Return the submission with a key under which its outcome can be asked for.

    Idempotency keys of clients do not begin with a space. A trial changes nothing, and may happen twice.
    """
    if submission.idempotency_key is not None or getattr(submission.command, "dry_run", False):
        return submission
    name = f" forwarded {submission.request_id}"
    fingerprint = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return msgspec.structs.replace(submission, idempotency_key=name, fingerprint=fingerprint)
