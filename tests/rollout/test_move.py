"""The benchmarks' "before" is moved under load, while both sides and both databases are killed.

Clients write down what they were told. In the end that is held against both books: each key was carried out
once, by the side that has answered it, and all that a customer did is in one book.
"""

import asyncio
import hashlib
import sys
from collections import Counter
from pathlib import Path

from benchmarks.samples import FEES
from tests.rollout.both_sides import BothSides, both_sides
from tests.rollout.load import Load
from tests.rollout.states import insert, run_command
from tests.rollout.two_books import check_both, read_book
from tests.support.books import find_database_faults
from tests.support.seeds import SEED, size
from tests.support.servers import fetch
from tests.support.tenants import make_tenant

# All that the older API serves.
ROUTES = (
    "POST /v1/customers",
    "POST /v1/payment_intents",
    "POST /v1/refunds",
    "GET /v1/payment_intents/{id}",
)
# Each state, and who answers something new on a route that has it.
STEPS = {
    "legacy": ("legacy",),
    "shadow": ("legacy",),
    "split=1": ("legacy", "fastpay"),
    "split=50": ("legacy", "fastpay"),
    "fastpay": ("fastpay",),
}
ANSWERS = size(12, soak=24)
ROUNDS = size(1, soak=2)


def test_each_key_is_carried_out_once_while_routes_are_moved_and_everything_is_killed(cluster: Path) -> None:
    sys.stdout.write(f"FASTPAY_TEST_SEED={SEED}\n")
    with both_sides(cluster) as sides:
        with _start_load(sides, cluster.parent) as load:
            for turn, state in enumerate((*STEPS, "legacy")):
                for route in ROUTES:
                    insert(sides.instances[0], route, state)
                load.wait(ANSWERS, *STEPS[state])
                for kill in sides.kills(turn, is_long=ROUNDS > 1) * ROUNDS:
                    sys.stdout.write(f"{state} {kill.__name__}\n")
                    sys.stdout.flush()
                    kill()
                    load.wait(ANSWERS)
        _check(load, sides)


def _start_load(sides: BothSides, folder: Path) -> Load:
    """Have a tenant of the older API, whose key is imported by its digest."""
    secret = make_tenant(sides.legacy_database_url, FEES).secret
    own = make_tenant(sides.database_url, FEES)
    (known,) = fetch(sides.database_url, "select name from tenant where tenant_id = $1", own.tenant_id)
    digest, file = hashlib.sha256(secret.encode()).hexdigest(), folder / "keys.csv"
    file.write_text(
        f"tenant,mode,kind,sha256,last4\n{known['name']},test,secret,{digest},{secret[-4:]}\n",
        encoding="utf-8",
    )
    assert "imported 1 keys" in run_command(sides.instances[0], "keys", "import", str(file))
    return Load(sides.urls, secret, f"{own.tenant_id.hex} False", seed=SEED)


def _check(load: Load, sides: BothSides) -> None:
    assert load.faults == [], "\n".join(load.faults)
    books = {
        "legacy": read_book(sides.legacy_database_url, is_fastpay=False),
        "fastpay": read_book(sides.database_url, is_fastpay=True),
    }
    faults = check_both(load.operations, books)
    assert faults == [], "\n".join(faults)
    assert asyncio.run(find_database_faults(sides.database_url)) == []
    # The kills were felt, and both sides had all kinds of work.
    results = Counter((one.kind, one.side or one.result) for one in load.operations)
    sys.stdout.write(f"{dict(results)}\n")
    for kind in ("enroll", "pay", "refund", "read"):
        assert min(results[kind, side] for side in books) > 0
    assert sum(results[kind, "unknown"] for kind in ("enroll", "pay", "refund")) > 0
    _look_at_states(sides.database_url)


def _look_at_states(database_url: str) -> None:
    """See that writes in shadow were decided, and that routes went back for a database's absence alone."""
    decided = fetch(
        database_url,
        "select sum(count)::bigint as count from rollout_finding join rollout_change using (change_id) "
        "where state = 'shadow' and measure = 'outcome' and name in ('equal', 'differing')",
    )
    assert decided[0]["count"] > 0
    reverted = fetch(database_url, "select reason from rollout_change where reason is not null")
    assert [row["reason"] for row in reverted if not row["reason"].startswith("errors: ")] == []
