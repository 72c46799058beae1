"""Cards that processors keep for later payments: their tokens are stored before the outcome is."""

from fastpay.domain.identifiers import Scope
from fastpay.engine.processors.configuration_ports import SavedCard
from fastpay.engine.processors.ports import Outcome, Processors


async def keep(
    processors: Processors, scope: Scope, payment_method: str, processor: str, outcome: Outcome | None
) -> None:
    """Store the token that an approval brings, if it does. Raises: DatabaseUnavailable, Overloaded."""
    if outcome is None or outcome.status != "approved" or outcome.token is None:
        return
    await processors.keep(scope, payment_method, SavedCard(processor=processor, token=outcome.token))
