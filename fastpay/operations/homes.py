"""Puts together what makes an instance one of several that help each other."""

import asyncio
import functools
from collections.abc import Callable, Sequence

from fastpay import __version__, limits
from fastpay.clock import Clock
from fastpay.config import Settings
from fastpay.domain.identifiers import Scope
from fastpay.engine.homes.codec import release_name
from fastpay.engine.homes.homes import Homes
from fastpay.engine.homes.membership import Membership
from fastpay.engine.homes.ports import LATE, Follower, Member, OwnWriter
from fastpay.engine.ports import Commit, CommitObserver
from fastpay.errors import ConfigurationError
from fastpay.observability import telemetry
from fastpay.server.frames import FrameNetwork
from fastpay.server.member_tls import create_contexts
from fastpay.store.members import LiveMember
from fastpay.store.sealing import Vault

# A member's identifier: when it started, in milliseconds, and a random number.
_TIME_BYTES, _RANDOM_BYTES = 6, 10
# What the sealing keys are derived for.
_PURPOSE = "members"


class Observers:
    """Tells several of each commit of this instance. Satisfies `CommitObserver`."""

    def __init__(self, *observers: CommitObserver) -> None:
        self._all = list(observers)

    def add(self, observer: CommitObserver) -> None:
        """Tell one more."""
        self._all.append(observer)

    def committed(self, commits: Sequence[Commit]) -> None:
        """Tell all of a batch that is on disk."""
        for observer in self._all:
            observer.committed(commits)


class Hearers:
    """Tells several that something of a tenant was changed by another instance."""

    def __init__(self, *hearers: Callable[[Scope], None]) -> None:
        self._all = list(hearers)

    def add(self, heard: Callable[[Scope], None]) -> None:
        """Tell one more."""
        self._all.append(heard)

    def heard(self, scope: Scope) -> None:
        """Tell all of a tenant."""
        for heard in self._all:
            heard(scope)


class Followers:
    """Tells the read path, and whoever waits for news of a tenant, what a home commits."""

    def __init__(self, reader: Follower, heard: Callable[[Scope], None]) -> None:
        self._heard = heard
        self._reader = reader
        self.ask = reader.ask
        self.show = reader.show
        self.holds = reader.holds
        self.follow = reader.follow
        self.advanced = reader.advanced
        self.acknowledged = reader.acknowledged

    def heard(self, scope: Scope, versions: Sequence[tuple[str, int]]) -> None:
        """Tell them of a commit, and of the objects that have these versions now."""
        self._reader.heard(scope, versions)
        self._heard(scope)


def notice_of_new_ms(staleness_ms: int) -> int:
    """Return for how long commits of new objects are held before other instances are told of them.

    What these have cached stays valid only if they hear of each commit well within their own bound, which is
    taken to be that of this instance. With 0 nothing is cached.
    """
    if staleness_ms == 0:
        return limits.home_notice_of_new_ms
    return max(limits.home_notice_ms, min(limits.home_notice_of_new_ms, staleness_ms // 4))


async def open_homes(
    settings: Settings,
    membership: Membership,
    writer: OwnWriter,
    follower: Follower,
    clock: Clock,
    vault: Vault | None,
) -> Homes:
    """Return the write path of an instance that others can reach, as a member.

    Raises: ConfigurationError if it cannot listen, or not safely.
    """
    address = settings.homes_address
    if address is not None and vault is None:
        raise ConfigurationError(
            "homes_address needs a sealing key, from which instances recognize each other; name a file in "
            "FASTPAY_SEALING_KEY_FILE with the same content on every instance, or unset FASTPAY_HOMES_ADDRESS"
        )
    started = clock.now_ms().to_bytes(_TIME_BYTES, "big")
    member_id = (started + clock.random_bytes(_RANDOM_BYTES)).hex()
    own = Member(
        member_id,
        release_name(__version__),
        f"fastpay-{member_id}",
        address,
    )
    tls = None if vault is None else functools.cache(lambda: create_contexts(vault.derive(_PURPOSE)))
    network = FrameNetwork(own.socket, address=address, tls=tls)
    homes = Homes(
        own,
        writer,
        network,
        membership,
        follower=follower,
        clock=clock,
        notice_of_new_ms=notice_of_new_ms(settings.read_staleness_ms),
    )
    try:
        await homes.open()
    except OSError as error:
        await network.close()
        raise ConfigurationError(
            f"cannot listen on homes_address {address}: {error.strerror or error}; "
            "give an address of this machine that other instances reach, and a free port"
        ) from error
    return homes


def describe_member(member: LiveMember) -> str:
    """Return what an instance did for others and they for it, and why if they did not, for an operator."""
    counts = {name.removeprefix("homes_"): count for name, count in member.report.items()}
    reasons = [
        f"{count} {name.removeprefix('fallbacks_')}"
        for name, count in counts.items()
        if name.startswith("fallbacks_") and count
    ]
    looks = "; looks for what is due" if counts.get("looks") else ""
    return (
        f"forwarded {counts.get('forwarded', 0)}, served {counts.get('served', 0)} for others, wrote "
        f"{counts.get('local', 0)} as a home; fallbacks: {', '.join(reasons) or 'none'}; "
        f"left tenants to lanes {counts.get('lanes_parked', 0)} times, {counts.get('lanes_tenants', 0)} now, "
        f"which wrote {counts.get('lanes_commands', 0)}; "
        f"{'late' if member.busy == LATE else f'busy for {member.busy} % of the time'}; "
        f"{member.address or 'reached on its host only'}; release {member.release}{looks}"
    )


class Handover:
    """Hands all tenants over to the other instances when this one begins to stop."""

    def __init__(self, homes: Homes, stopping: asyncio.Event | None) -> None:
        self._homes = homes
        self._stopping = stopping or asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to wait for the stop."""
        self._task = asyncio.create_task(self._run(), name="handover")

    async def close(self) -> None:
        """Wait for the end of a handover that has begun."""
        assert self._task is not None
        if not self._stopping.is_set():
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        await self._stopping.wait()
        try:
            await self._homes.leave()
        except Exception:  # noqa: BLE001  the stop goes on
            telemetry.log.exception("handover_failed")
