"""The plain case of a transfer, by the rules of all transfers."""

from collections.abc import Callable, Mapping

from fastpay.domain import ledger
from fastpay.domain.ledger import Account, Transfer


def move(
    transfer: tuple[str, str, str, str, str, int, str, tuple[str, int] | None],
    moved: dict[str, Account],
    loaded: Mapping[str, Account],
    counter_max: int,
    next_identifier: Callable[[str], str],
) -> Transfer | None:
    """Return the transfer with these values, and move its accounts; None if the case is not plain.

    The last value is the hold that it ends, with all that this reserves.
    """
    kind, phase, debit_id, credit_id, currency, amount, source_id, hold = transfer
    source = moved.get(debit_id) or loaded.get(debit_id)
    target = moved.get(credit_id) or loaded.get(credit_id)
    if source is None or target is None or source is target or amount < 0:
        return None
    if (phase in ("post", "void")) != (hold is not None) or (hold is not None and hold[1] < 0):
        return None
    if source.min_balance is not None or target.min_balance is not None:
        return None
    posted = amount if phase in ("posted", "post") else 0
    reserved = amount if phase == "hold" else -hold[1] if hold is not None else 0
    before = (source.debits_posted, source.debits_pending), (target.credits_posted, target.credits_pending)
    for counted, held in before:
        if held + reserved < 0 or counted + posted + held + reserved > counter_max:
            return None
    moved[debit_id] = ledger.debit(source, posted, reserved)
    moved[credit_id] = ledger.credit(target, posted, reserved)
    identifier, hold_id = next_identifier("tr"), None if hold is None else hold[0]
    return Transfer(identifier, kind, phase, debit_id, credit_id, currency, amount, source_id, hold_id)
