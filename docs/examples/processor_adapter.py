"""A processor of the kind `http`: run it with a port and a database file, and the secret in SECRET.

Between fastpay and a real bank, `Bank` would call the bank's API. Here the bank is two tables beside the
references, so that an operation and the memory of it are one transaction: an order is carried out once,
however often it comes, and `GET /operations/REFERENCE` says what became of it.
"""

import hashlib
import hmac
import json
import os
import sqlite3
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

TABLES = """
create table if not exists operation (reference text primary key, outcome text not null);
create table if not exists payment (id text primary key, reference text, reserved integer,
    captured integer, refunded integer);
"""
CHANGES = {
    "capture": "update payment set reserved = 0, captured = ? where id = ?",
    "refund": "update payment set refunded = refunded + ? where id = ?",
    "void": "update payment set reserved = reserved - ? where id = ?",
}


class Bank:
    """Moves money, inside of a transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def carry_out(self, order: dict[str, Any]) -> dict[str, Any]:
        """Carry out an order, and return its outcome without the reference."""
        operation, amount = order["operation"], order["amount"]
        if operation in {"authorize", "setup"}:
            return self.authorize(order)
        # By what we called the payment, or by fastpay's reference if our answer was lost.
        found = self.connection.execute(
            "select id, reserved, captured, refunded from payment where id = ? or reference = ?",
            (order.get("id"), order.get("authorization")),
        ).fetchone()
        if found is None:
            return {"status": "refused", "code": "resource_missing", "message": "There is no such payment."}
        payment_id, reserved, captured, refunded = found
        largest = {"capture": reserved, "refund": captured - refunded, "void": reserved}
        if amount > largest[operation]:
            code = "payment_intent_unexpected_state"
            return {"status": "refused", "code": code, "message": "The payment does not allow this."}
        self.connection.execute(CHANGES[operation], (amount, payment_id))
        # A refund has an identifier of its own; all else is about the payment.
        own_id = f"{payment_id}/{order['reference']}" if operation == "refund" else payment_id
        return approved(own_id, amount, order["currency"], captured=operation == "capture")

    def authorize(self, order: dict[str, Any]) -> dict[str, Any]:
        """Reserve an amount, or take it at once; of a setup keep the card alone."""
        if order["operation"] == "setup":
            return {"status": "approved", "token": f"card_of_{order['reference']}"}
        amount, captures = order["amount"], order["captures"]
        if amount % 100 == 2:
            return {"status": "declined", "code": "card_declined", "decline_code": "insufficient_funds"}
        payment_id = "pay_" + hashlib.sha256(order["reference"].encode()).hexdigest()[:16]
        values = (payment_id, order["reference"], *((0, amount) if captures else (amount, 0)))
        self.connection.execute("insert into payment values (?, ?, ?, ?, 0)", values)
        return approved(payment_id, amount, order["currency"], captured=captures)


def approved(own_id: str, amount: int, currency: str, *, captured: bool) -> dict[str, Any]:
    """Return the outcome of what was done."""
    return {"status": "approved", "id": own_id, "amount": amount, "currency": currency, "captured": captured}


def known(connection: sqlite3.Connection, reference: str) -> dict[str, Any] | None:
    """Return the outcome of an order that came before."""
    found = connection.execute("select outcome from operation where reference = ?", (reference,)).fetchone()
    return None if found is None else json.loads(found[0])


def is_signed(method: str, target: str, headers: Any, body: bytes) -> bool:
    """Tell whether a request is signed with our secret, now."""
    elements = [element.partition("=") for element in headers.get("Fastpay-Signature", "").split(",")]
    time_s = next((value for name, _, value in elements if name == "t"), "")
    if not time_s.isdecimal() or abs(time.time() - int(time_s)) > 300:
        return False
    key = headers.get("Idempotency-Key", "").replace("%", "%25").replace(".", "%2E")
    text = f"{time_s}.{method}.{target}.{key}.{hashlib.sha256(body).hexdigest()}"
    right = hmac.digest(os.environ["SECRET"].encode(), text.encode(), "sha256").hex()
    return any(name == "v2" and hmac.compare_digest(value, right) for name, _, value in elements)


class Adapter(BaseHTTPRequestHandler):
    """Answers fastpay."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Say what became of an order, or that all is well."""
        if not self.is_allowed(b""):
            return
        reference = unquote(self.path.removeprefix("/operations").removeprefix("/"))
        with sqlite3.connect(sys.argv[2], timeout=30) as connection:
            outcome = known(connection, reference)
        if reference and outcome is None:
            self.answer(404, {"status": "not_found", "reference": reference})
        else:
            self.answer(200, outcome or {})

    def do_POST(self) -> None:
        """Carry out an order once."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.is_allowed(body):
            return
        order = json.loads(body)
        with sqlite3.connect(sys.argv[2], timeout=30) as connection:
            # From here on others wait, also those with the same reference.
            connection.execute("begin immediate")
            outcome = known(connection, order["reference"])
            if outcome is None:
                outcome = {**Bank(connection).carry_out(order), "reference": order["reference"]}
                row = (order["reference"], json.dumps(outcome))
                connection.execute("insert into operation values (?, ?)", row)
        self.answer(200, outcome)

    def is_allowed(self, body: bytes) -> bool:
        """Tell whether a request is fastpay's, and answer it if it is not."""
        if is_signed(self.command, self.path, self.headers, body):
            return True
        self.answer(401, {"status": "refused", "message": "The signature is wrong."})
        return False

    def answer(self, status: int, shown: dict[str, Any]) -> None:
        """Send an answer in JSON."""
        body = json.dumps(shown).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing: a path has references only, but a log is read by many."""


if __name__ == "__main__":
    sqlite3.connect(sys.argv[2]).executescript(TABLES)
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Adapter).serve_forever()
