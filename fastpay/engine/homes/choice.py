"""Which member is the home of a tenant and mode: rendezvous hashing.

Every instance that sees the same members chooses the same one. A member that joins takes only the tenants
that it is chosen for, and those of a member that leaves are spread over all others.
Source: D. Thaler, C. Ravishankar, "A Name-Based Mapping Scheme for Rendezvous", 1996.
"""

import hashlib
from collections.abc import Iterable

from fastpay.domain.identifiers import Scope


def choose_home(scope: Scope, member_ids: Iterable[str]) -> str:
    """Return the member with the highest digest of its identifier together with the tenant and mode."""
    name = f"{scope.tenant_id}{'live' if scope.livemode else 'test'}"
    return max(member_ids, key=lambda one: hashlib.blake2b(f"{one} {name}".encode(), digest_size=16).digest())
