"""A tenant's money rules as people type them into a form, and back."""

import hashlib
import re
from collections.abc import Mapping

import msgspec

from fastpay.domain.money import parse_currency, read_amount, show_amount
from fastpay.domain.rules import Rules
from fastpay.errors import InvalidRequest
from fastpay.store.tenants import ListedTenant, RuleChanges

_PERCENT = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?", re.ASCII)
_WHOLE = re.compile(r"[0-9]{1,10}", re.ASCII)


def show_rules(rules: Rules) -> dict[str, str]:
    """Return the rules as they stand in a form."""
    whole, part = divmod(rules.fee_basis_points, 100)
    return {
        "fee_percent": f"{whole}.{part:02}",
        "fee_fixed": str(rules.fee_fixed),
        "dispute_fee": str(rules.dispute_fee),
        "refunds_may_overdraw": "on" if rules.refunds_may_overdraw else "off",
        "funds_delay_days": str(rules.funds_delay_days),
        "payout_interval": rules.payout_interval,
        "amount_minimums": "\n".join(
            show_amount(amount, currency) for currency, amount in sorted(rules.amount_minimums.items())
        ),
    }


def read_changes(fields: Mapping[str, str], rules: Rules) -> RuleChanges:
    """Return how the rules in a form differ from these. Raises: InvalidRequest."""
    percent = _PERCENT.fullmatch(fields.get("fee_percent", "").strip())
    if percent is None:
        raise InvalidRequest("Type the fee in percent as digits, such as 2.9 or 2.95.", param="fee_percent")
    minimums: dict[str, int | None] = dict.fromkeys(rules.amount_minimums)
    for line in fields.get("amount_minimums", "").split("\n"):
        if line.strip():
            minimums |= _minimum(line)
    typed = Rules(
        fee_basis_points=int(percent[1]) * 100 + int((percent[2] or "0").ljust(2, "0")),
        fee_fixed=_whole(fields, "fee_fixed"),
        refunds_may_overdraw=fields.get("refunds_may_overdraw") == "on",
        funds_delay_days=_whole(fields, "funds_delay_days"),
        payout_interval=fields.get("payout_interval", ""),
        dispute_fee=_whole(fields, "dispute_fee"),
    )
    before = msgspec.structs.asdict(rules)
    changes = {
        name: value
        for name, value in msgspec.structs.asdict(typed).items()
        if name != "amount_minimums" and value != before[name]
    }
    changed = {
        currency: amount
        for currency, amount in minimums.items()
        if amount != rules.amount_minimums.get(currency)
    }
    made = RuleChanges(**changes, amount_minimums=changed)
    made.check()
    return made


def describe(changes: RuleChanges, rules: Rules) -> str:
    """Return in one line what is changed in these rules."""
    before, after = show_rules(rules), show_rules(changes.applied_to(rules))
    return "; ".join(
        f"{name}: {_in_line(before[name])} to {_in_line(after[name])}"
        for name in before
        if before[name] != after[name]
    )


def seen_of(tenant: ListedTenant, *, livemode: bool) -> str:
    """Return what a page has seen of a tenant. It changes with the name and the rules."""
    rules = tenant.live if livemode else tenant.test
    content = msgspec.json.encode((tenant.name, sorted(show_rules(rules).items())))
    return hashlib.sha256(content).hexdigest()[:32]


def _minimum(line: str) -> dict[str, int | None]:
    amount, _, currency = line.strip().rpartition(" ")
    if not amount:
        raise InvalidRequest(
            "Type each smallest amount on a line of its own, such as 0.50 USD.", param="amount_minimums"
        )
    code = parse_currency(currency, param="amount_minimums")
    return {code: read_amount(amount, code)}


def _whole(fields: Mapping[str, str], name: str) -> int:
    typed = fields.get(name, "").strip()
    if _WHOLE.fullmatch(typed) is None:
        raise InvalidRequest(f"{name.replace('_', ' ').capitalize()} is a whole number.", param=name)
    return int(typed)


def _in_line(text: str) -> str:
    return text.replace("\n", ", ") or "none"
