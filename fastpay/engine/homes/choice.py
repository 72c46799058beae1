"""Which member is the home of a tenant and mode: rendezvous hashing among some members of each host.

The more homes share the processors of a host, the smaller are their batches, and a batch of one costs many
times what one more command of a batch does. So of the instances on one host only a few for each processor are
homes: those that are there the longest. The others forward to them, and take over when they leave.

Every instance that sees the same members chooses the same one. A member that joins takes only the tenants
that it is chosen for, and those of a member that leaves are spread over all others.
Source: D. Thaler, C. Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.homes.ports import Member


def homes_among(members: Iterable[Member]) -> list[str]:
    """Return the members that are homes: of each host as many as its processors allow, the oldest first."""
    hosts: defaultdict[str, list[Member]] = defaultdict(list)
    for member in members:
        hosts[member.host].append(member)
    chosen = []
    for found in hosts.values():
        count = max(one.processors for one in found) * limits.homes_per_processor
        # Identifiers begin with the time at which a member started.
        chosen += sorted(one.member_id for one in found)[:count]
    return chosen


def choose_home(scope: Scope, member_ids: Iterable[str]) -> str:
    """Return the member with the highest digest of its identifier together with the tenant and mode."""
    name = f"{scope.tenant_id}{'live' if scope.livemode else 'test'}"
    return max(member_ids, key=lambda one: hashlib.blake2b(f"{one} {name}".encode(), digest_size=16).digest())
