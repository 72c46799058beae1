"""What can happen to a bank while its clients are at work. Each leaves everything running when it is over."""

import asyncio
import itertools
import signal
from collections.abc import Awaitable, Callable

from fastpay import limits
from fastpay.operations.embedded import children
from tests.bank.world import World
from tests.support.postgres_proxy import CUTS
from tests.support.receiver import MANNERS
from tests.support.servers import PATIENCE_SECONDS


async def kill_an_instance(world: World) -> None:
    """Kill -9, and start again after a while; the other instance goes on alone."""
    number = world.chance.randrange(len(world.instances))
    instance = world.instances[number]
    children.send(instance.pid, signal.SIGKILL)
    await asyncio.to_thread(instance.process.wait, PATIENCE_SECONDS)
    await world.clients.wait_answered(5)
    await world.restart_instance(number)


async def kill_all_instances(world: World) -> None:
    """Kill -9 all of them at once."""
    for instance in world.instances:
        children.send(instance.pid, signal.SIGKILL)
    for number, instance in enumerate(world.instances):
        await asyncio.to_thread(instance.process.wait, PATIENCE_SECONDS)
        await world.restart_instance(number)


async def freeze_an_instance(world: World) -> None:
    """Stop it where it stands; the other must get hold of the books, and the frozen one find its way back."""
    instance = world.chance.choice(world.instances)
    children.send(instance.pid, signal.SIGSTOP)
    try:
        # Some clients hang on the frozen one.
        await asyncio.sleep(world.chance.choice((0.2, 3.0)))
    finally:
        children.send(instance.pid, signal.SIGCONT)


async def stop_postgres_at_once(world: World) -> None:
    """What `pg_ctl stop -m immediate` does: it ends as it stands, and recovers at the next start."""
    assert world.postgres.pid is not None
    children.send(world.postgres.pid, signal.SIGQUIT)
    await world.restart_postgres()


async def kill_postgres(world: World) -> None:
    """Kill -9 the postmaster and all its backends, in any order."""
    pids = children.living_in(world.postgres.cluster)
    world.chance.shuffle(pids)
    for pid in pids:
        children.send(pid, signal.SIGKILL)
    await world.restart_postgres()


async def end_all_backends(world: World) -> None:
    """What an administrator does who restarts the database in order."""
    assert world.postgres.pid is not None
    children.send(world.postgres.pid, signal.SIGINT)
    await world.restart_postgres()


async def freeze_postgres(world: World) -> None:
    """Stop all processes of PostgreSQL where they stand: for a moment, or for longer than a relay's lease."""
    pids = children.living_in(world.postgres.cluster)
    for pid in pids:
        children.send(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(world.chance.choice((0.5, 1.2 * limits.relay_lease_ms / 1000)))
    finally:
        for pid in pids:
            children.send(pid, signal.SIGCONT)


async def freeze_past_the_lease(world: World) -> None:
    """Stop an instance where it stands until another one has its webhook endpoints."""
    instance = world.chance.choice(world.instances)
    children.send(instance.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(1.5 * limits.relay_lease_ms / 1000)
    finally:
        children.send(instance.pid, signal.SIGCONT)


async def misbehave(world: World) -> None:
    """Have the receiver of webhooks fail in all its ways, and be down for a moment in the end."""
    hooks = {operation.hook for operation in world.clients.operations() if operation.hook}
    manners = world.chance.sample(MANNERS, len(MANNERS))
    for _ in range(3):
        # Each endpoint in another way.
        manners = manners[1:] + manners[:1]
        world.receiver.behave(**dict(zip(sorted(hooks), itertools.cycle(manners))))
        await world.clients.wait_answered(10)
        await asyncio.sleep(1)
    world.receiver.behave(**dict.fromkeys(hooks, "ok"))
    world.receiver.process.send_signal(signal.SIGSTOP)
    await asyncio.sleep(1)
    world.receiver.process.send_signal(signal.SIGCONT)


async def cut_connections(world: World) -> None:
    """End all connections between one instance and PostgreSQL, some times."""
    proxy = world.chance.choice(world.proxies)
    for _ in range(5):
        await proxy.cut_all()
        await asyncio.sleep(world.chance.uniform(0.01, 0.1))


async def cut_links(world: World) -> None:
    """End all connections between instances, some times; what they had forwarded has no answer."""
    before = world.links.cuts
    for number in range(1_000):
        # There are none until instances that were restarted have found each other.
        if number >= 5 and world.links.cuts > before:
            break
        world.links.cut()
        await asyncio.sleep(world.chance.uniform(0.01, 0.1))


async def hold_links(world: World) -> None:
    """Let nothing through between instances, and all of it later, as a network that is parted does."""
    world.links.hold()
    try:
        await asyncio.sleep(world.chance.choice((0.1, 1.0)))
    finally:
        world.links.release()


async def strike_messages(world: World) -> None:
    """Break one message after another, COMMIT above all, in any manner."""
    for _ in range(20):
        proxy = world.chance.choice(world.proxies)
        manner = world.chance.choice((*CUTS, "late"))
        if world.chance.random() < 0.5:
            proxy.arm(manner, name="commit")
        else:
            proxy.arm(manner, place=world.chance.randrange(100))
        await asyncio.sleep(world.chance.uniform(0.01, 0.1))
    for proxy in world.proxies:
        proxy.disarm()


async def trickle(world: World) -> None:
    """Let what PostgreSQL says to one instance come in small pieces, and late."""
    proxy = world.chance.choice(world.proxies)
    proxy.chunk, proxy.delay_s = world.chance.choice(((1, 0.0), (50, 0.001), (400, 0.01)))
    await asyncio.sleep(0.5)
    proxy.chunk, proxy.delay_s = None, 0.0


async def freeze_redis(world: World) -> None:
    """Stop the cache, and the announcements through it, where it stands."""
    if world.redis is not None and world.redis.pid is not None:
        children.send(world.redis.pid, signal.SIGSTOP)
        try:
            await asyncio.sleep(world.chance.choice((0.2, 1.5)))
        finally:
            children.send(world.redis.pid, signal.SIGCONT)


async def kill_redis(world: World) -> None:
    """Kill -9 the cache, and start it again, empty, after a while."""
    if world.redis is not None and world.redis.pid is not None:
        children.send(world.redis.pid, signal.SIGKILL)
        await asyncio.to_thread(
            children.wait_until, world.redis.has_ended, timeout_ms=PATIENCE_SECONDS * 1000
        )
        await world.clients.wait_answered(10)
        world.redis.launch()
        await asyncio.to_thread(world.redis.wait_ready)


async def kill_the_pooler(world: World) -> None:
    """Kill -9, and start again after a while; nobody gets to the database meanwhile."""
    assert world.pooler is not None
    world.pooler.kill()
    await asyncio.sleep(world.chance.choice((0.0, 0.5)))
    await world.restart_pooler()


async def freeze_the_pooler(world: World) -> None:
    """Stop it where it stands, with the transactions that it has in hand."""
    assert world.pooler is not None
    children.send(world.pooler.pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(world.chance.choice((0.2, 3.0)))
    finally:
        children.send(world.pooler.pid, signal.SIGCONT)


DISASTERS: tuple[Callable[[World], Awaitable[None]], ...] = (
    kill_an_instance,
    kill_all_instances,
    freeze_an_instance,
    stop_postgres_at_once,
    kill_postgres,
    end_all_backends,
    freeze_redis,
    kill_redis,
    cut_connections,
    cut_links,
    hold_links,
    strike_messages,
    trickle,
)
# What takes longer than the gate has: the soak does it.
LONG_DISASTERS = (freeze_postgres, freeze_past_the_lease, misbehave)
POOLER_DISASTERS = (kill_the_pooler, freeze_the_pooler)
