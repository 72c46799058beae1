"""What `fastpay doctor` says of the older API that fastpay stands in front of."""

from typing import Any

from fastpay.observability.program_name import command_name
from fastpay.operations.findings import Finding
from fastpay.operations.rollout import mistaken_line
from fastpay.store.rollout_mistaken import list_mistaken


async def check_legacy_identifiers(connection: Any) -> Finding:
    """Tell whether objects of the older API can be told from fastpay's."""
    mistaken = await list_mistaken(connection)
    if not mistaken:
        return Finding("older API", "good", "no identifier of it looks like fastpay's")
    advice = f"see docs/MIGRATION.md; when it is over: {command_name()} rollout forget-identifiers"
    return Finding("older API", "fault", "; ".join(map(mistaken_line, mistaken)), advice)
