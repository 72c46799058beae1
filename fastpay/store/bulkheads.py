"""Bulkheads between reads: what is cheap, searches, and verifications; and between the tenants in each.

| what                               | connections                       | of one tenant          |
|------------------------------------|-----------------------------------|------------------------|
| objects by identifier, of all      | readers, `batch_reads_at_once`    | not limited            |
| lists and balances                 | readers, the rest                 | in turns               |
| searches, and statements that scan | two thirds of those for scans     | half of that, in turns |
| verifications                      | one third of those for scans      | one                    |

A tenant that asks for more waits for a while, then is refused with 429. It keeps nobody else waiting. Its
test and live mode count together: otherwise it would have twice its share.
"""

from contextlib import AbstractAsyncContextManager

from fastpay import limits
from fastpay.domain.identifiers import Scope
from fastpay.store.gates import Gate
from fastpay.store.pool import due


class Bulkheads:
    """The gates before an instance's pools: each gives a context that holds a slot, as `Gate.enter`."""

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
        """Wait for the turn of a list, or another small read of a tenant, as long as the read may take."""
        return self._lists.enter(scope.tenant_id, until=until)

    def searching(self, scope: Scope) -> AbstractAsyncContextManager[None]:
        """Wait for the turn of a search, or of a statement that scans."""
        return self._searches.enter(scope.tenant_id, until=due(limits.scan_wait_timeout_ms))

    def verifying(self, scope: Scope) -> AbstractAsyncContextManager[None]:
        """Wait for the turn of a verification."""
        return self._verifications.enter(scope.tenant_id, until=due(limits.scan_wait_timeout_ms))
