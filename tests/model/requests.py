"""Steps at random, and the requests that they are."""

import random
from collections.abc import Sequence

from tests.model.payments import CARDS, CURRENCIES, IBANS, TEXTS, Card, Payment, Step, Verb


def random_step(chance: random.Random, payments: Sequence[Payment], *, with_disputes: bool = True) -> Step:
    """Return any step, most often about one of the last payments."""
    verbs: tuple[Verb, ...] = (
        "confirm",
        "authenticate",
        "update",
        "capture",
        "capture",
        "increment",
        "cancel",
        "refund",
        "refund",
    )
    if with_disputes:
        verbs += ("dispute", "respond", "close")
    verb: Verb = "create" if not payments or chance.random() < 0.3 else chance.choice(verbs)
    has_amount = verb in {"create", "update", "increment"} or chance.random() < 0.4
    return Step(
        verb=verb,
        place=_place(chance, verb, payments),
        amount=chance.randint(1, 2_000) if has_amount else None,
        currency=chance.choice(CURRENCIES),
        card=chance.choice((None, *CARDS, "visa", "visa")),
        manual=chance.random() < 0.4,
        flexible=chance.random() < 0.5,
        final=chance.random() < 0.5,
        confirm=chance.random() < 0.9,
        succeeds=chance.random() < 0.7,
        text=chance.choice(TEXTS),
    )


def _place(chance: random.Random, verb: Verb, payments: Sequence[Payment]) -> int:
    """Return which payment a step is about: of disputes there are few, so one that has any."""
    fitting = [
        number
        for number, payment in enumerate(payments)
        if (verb == "dispute" and payment.charge == "taken")
        or (verb in {"respond", "close"} and payment.disputes)
    ]
    if fitting and chance.random() < 0.8:
        return chance.choice(fitting[-2:])
    return max(0, len(payments) - chance.randint(1, 3))


def request_of(step: Step, payment: Payment | None) -> tuple[str, dict[str, str]]:
    """Return the path and the form of a step on a payment as it stands before. A new one has none."""
    form: dict[str, str] = {}
    if step.card is not None and step.verb in {"create", "confirm"}:
        form = _method(step.card)
    payment_id = "" if payment is None else payment.identifier
    path = f"/v1/payment_intents/{payment_id}"
    charged = step.card if step.card is not None or payment is None else payment.card
    if charged in IBANS and (step.verb == "confirm" or (step.verb == "create" and step.confirm)):
        form["mandate_data[customer_acceptance][type]"] = "offline"
    if step.verb in {"dispute", "respond", "close"}:
        assert payment is not None
        return _about_dispute(step, payment)
    match step.verb:
        case "create":
            form |= {"amount": str(step.amount), "currency": step.currency}
            form["capture_method"] = "manual" if step.manual else "automatic"
            if step.flexible:
                options = "payment_method_options[card]"
                form[f"{options}[request_multicapture]"] = "if_available"
                form[f"{options}[request_incremental_authorization]"] = "if_available"
            if step.confirm and step.card is not None:
                form["confirm"] = "true"
            return "/v1/payment_intents", form
        case "update":
            return path, {"amount": str(step.amount)}
        case "authenticate":
            outcome = "succeeded" if step.succeeds else "failed"
            return f"/v1/test_helpers/payment_intents/{payment_id}/authenticate", {"outcome": outcome}
        case "refund":
            form["payment_intent"] = payment_id
            return "/v1/refunds", form | ({} if step.amount is None else {"amount": str(step.amount)})
        case "increment":
            return f"{path}/increment_authorization", {"amount": str(step.amount)}
        case "capture":
            form["final_capture"] = "true" if step.final else "false"
            if step.amount is not None:
                form["amount_to_capture"] = str(step.amount)
    return f"{path}/{step.verb}", form


def _method(card: Card) -> dict[str, str]:
    if card not in IBANS:
        return {"payment_method": f"pm_card_{card}"}
    data = "payment_method_data"
    return {
        f"{data}[type]": "sepa_debit",
        f"{data}[sepa_debit][iban]": IBANS[card],
        f"{data}[billing_details][name]": "Ada",
        f"{data}[billing_details][email]": "ada@example.com",
    }


def _about_dispute(step: Step, payment: Payment) -> tuple[str, dict[str, str]]:
    nothing = "0" * 32
    if step.verb == "dispute":
        path = f"/v1/test_helpers/charges/{payment.charge_id or 'ch_' + nothing}/dispute"
        return path, {} if step.amount is None else {"amount": str(step.amount)}
    path = f"/v1/disputes/{payment.disputes[-1].identifier if payment.disputes else 'du_' + nothing}"
    if step.verb == "close":
        return path + "/close", {}
    return path, {"evidence[uncategorized_text]": step.text}
