"""Bulkheads between kinds of reads, and between the tenants within each kind.

| reads                                | connections                           | per tenant             |
|--------------------------------------|---------------------------------------|------------------------|
| objects by identifier, of all        | reader pool: `batch_reads_at_once`    | no limit               |
| lists and balances                   | reader pool: the rest                 | in turns               |
| searches, and statements that scan   | scan pool: two thirds                 | half of that, in turns |
| verifications                        | scan pool: one third                  | one                    |

A tenant that exceeds its share waits for a while and then gets a 429. Other tenants do not wait for it. Test
and live mode of a tenant share its slots.
"""

from contextlib import AbstractAsyncContextManager

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.engine.gates import Gate
from fastpay.store.pool import due


class Bulkheads:
    """The gates before an instance's pools. Each method returns a context manager as `Gate.enter` does."""

    def __init__(self, *, reader_connections: int, scan_connections: int) -> None:
        lists = max(1, reader_connections - limits.batch_reads_at_once)
        verifications = max(1, scan_connections // limits.verifications_share)
        searches = max(1, scan_connections - verifications)
        self._lists = Gate(
            slots=lists, tenant_slots=lists, tenant_waiting_max=limits.tenant_lists_waiting_max
        )
        self._searches = Gate(
            slots=searches,
            tenant_slots=max(1, searches // 2),
            tenant_waiting_max=limits.tenant_searches_waiting_max,
        )
        self._verifications = Gate(
            slots=verifications,
            tenant_slots=1,
            tenant_waiting_max=limits.tenant_verifications_waiting_max,
        )

    def listing(self, scope: Scope, until: float) -> AbstractAsyncContextManager[None]:
        """Hold a slot for a list or another small read of a tenant, which comes by `until`."""
        return self._lists.enter(scope.tenant_id, until=until)

    def searching(self, scope: Scope) -> AbstractAsyncContextManager[None]:
        """Hold a slot for a search, or for a statement that scans."""
        return self._searches.enter(scope.tenant_id, until=due(limits.scan_wait_timeout_ms))

    def verifying(self, scope: Scope) -> AbstractAsyncContextManager[None]:
        """Hold a slot for a verification."""
        return self._verifications.enter(scope.tenant_id, until=due(limits.scan_wait_timeout_ms))
