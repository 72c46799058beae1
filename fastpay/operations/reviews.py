"""What `fastpay processors review` does: it asks a running server, with an API key, over HTTP."""

from fastpay.operations.asking import Server, ask, post, print_table, say

_COLUMNS = ("id", "payment_intent", "processor", "operation", "amount", "currency", "in_doubt")
_OF_REVIEWS = ("reason", "proposed")


def list_reviews(server: Server, *, limit: int) -> None:
    """Print the attempts in review, the newest first."""
    page = ask(server, lambda client: client.get("/v1/attempts", status="review", limit=limit))
    rows = [
        [*(one[name] for name in _COLUMNS), *(one["review"][name] for name in _OF_REVIEWS)]
        for one in page["data"]
    ]
    print_table((*_COLUMNS, *_OF_REVIEWS), rows)


def resolve(server: Server, payment_intent: str, attempt: str, *, resolution: str, note: str) -> None:
    """Say what became of an attempt in review."""
    path = f"/v1/payment_intents/{payment_intent}/attempts/{attempt}/resolve"
    resolved = post(server, path, {"resolution": resolution, "note": note})
    say(f"{resolved['id']} is {resolved['status']}")
