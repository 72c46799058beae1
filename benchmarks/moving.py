"""A batch of transfers over many accounts: what the process does between its body and its statement."""

import random
from collections.abc import Callable

from benchmarks import samples
from fastpay._native.identifiers import IdentifierSequence
from fastpay.domain.ledger import Account
from fastpay.domain.ledger_batches import BatchItems, CreateLedgerBatch
from fastpay.domain.plan import Draft
from fastpay.engine.ports import Changes
from fastpay.store import columns

_ACCOUNTS, _TRANSFERS = 1_250, 1_024


def moving() -> dict[str, Callable[[], object]]:
    """Return the paths of a batch, by their names. As many sides an account as in 8,190 over 10,000."""
    chance = random.Random(1)
    names = [f"lacc_{number:032x}" for number in range(_ACCOUNTS)]
    pairs = [chance.sample(range(_ACCOUNTS), 2) for _ in range(_TRANSFERS)]
    items = BatchItems(
        names,
        [debit for debit, _ in pairs],
        [credit for _, credit in pairs],
        [5] * _TRANSFERS,
        [0] * _TRANSFERS,
    )
    command, workspace = CreateLedgerBatch(items=items), samples.new_workspace()
    for name in names:
        workspace.accounts[name] = Account(id=name, code="bench", currency="usd", normal_side="C")

    def decide() -> Draft:
        draft = Draft(
            workspace,
            moment_s=samples.MOMENT_MS // 1000,
            identifiers=IdentifierSequence(samples.MOMENT_MS << 16 | 0x7000, b"\x01" * 8),
        )
        return draft.finish(command.execute(workspace, draft))

    changes = Changes()
    changes.add(samples.new_submission(0), decide())
    return {
        "decide 1,024 transfers": decide,
        "encode 1,024 transfers": lambda: columns.encode(changes),
    }
