"""A batch's body to columns, through a tree: plain, slow, and of the same mind about what is plain."""

import json
import re
from typing import Any

from fastpay import limits

ACCOUNT = re.compile(r"lacc_[0-9a-f]{32}", re.ASCII)
KNOWN = {"amount", "credit_account", "debit_account", "expires_at", "hold", "linked", "metadata"}
REQUIRED = {"amount", "credit_account", "debit_account"}


class _NotPlain(Exception):
    """Something is left to the reader of all JSON."""


def decode(body: bytes) -> tuple[Any, ...] | None:
    """Decode a body in which nothing is in doubt, None for all others."""
    if b"\\" in body:
        return None
    try:
        tree = json.loads(
            body.decode(),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_refuse,
            parse_constant=_refuse,
        )
        return _columns(tree)
    except (ValueError, _NotPlain, RecursionError):
        return None


def _columns(tree: Any) -> tuple[Any, ...]:
    _require(type(tree) is dict and {"transfers"} <= tree.keys() <= {"transfers", "dry_run"})
    transfers, dry_run = tree["transfers"], tree.get("dry_run", False)
    _require(type(dry_run) is bool and type(transfers) is list)
    _require(1 <= len(transfers) <= limits.ledger_batch_transfers_max)
    for transfer in transfers:
        _check(transfer)
    names = [transfer[side] for transfer in transfers for side in ("debit_account", "credit_account")]
    accounts = list(dict.fromkeys(names))
    kept = [
        {key: value for key, value in transfer.get("metadata", {}).items() if value} for transfer in transfers
    ]
    columns = (
        accounts,
        [accounts.index(transfer["debit_account"]) for transfer in transfers],
        [accounts.index(transfer["credit_account"]) for transfer in transfers],
        [transfer["amount"] for transfer in transfers],
        [transfer.get("linked", False) + 2 * transfer.get("hold", False) for transfer in transfers],
        {
            place: transfer["expires_at"]
            for place, transfer in enumerate(transfers)
            if "expires_at" in transfer
        },
        {place: metadata for place, metadata in enumerate(kept) if metadata},
    )
    return columns, dry_run


def _check(transfer: Any) -> None:
    _require(type(transfer) is dict and transfer.keys() >= REQUIRED and transfer.keys() <= KNOWN)
    for side in ("debit_account", "credit_account"):
        _require(type(transfer[side]) is str and ACCOUNT.fullmatch(transfer[side]) is not None)
    amount, expires_at = transfer["amount"], transfer.get("expires_at", 0)
    _require(type(amount) is int and limits.amount_min <= amount <= limits.amount_max)
    _require(type(expires_at) is int and expires_at <= limits.second_max)
    _require(all(type(transfer.get(name, False)) is bool for name in ("hold", "linked")))
    _require("expires_at" not in transfer or transfer.get("hold", False))
    metadata = transfer.get("metadata", {})
    _require(type(metadata) is dict and len(metadata) <= limits.metadata_keys_max)
    for key, value in metadata.items():
        _require(1 <= len(key) <= limits.metadata_key_chars_max and not set("[]") & set(key))
        _require(type(value) is str and len(value) <= limits.metadata_value_chars_max)


def _require(is_plain: bool) -> None:
    if not is_plain:
        raise _NotPlain


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _require(len(dict(pairs)) == len(pairs))
    return dict(pairs)


def _integer(text: str) -> int:
    _require(text.isdecimal() and len(text) <= 18)
    return int(text)


def _refuse(text: str) -> Any:
    raise _NotPlain
