"""Steps at random, and the requests that they are."""

import random
from collections.abc import Callable, Mapping, Sequence

from tests.model.payment import Payment
from tests.model.payments import OPEN, Books
from tests.model.steps import CURRENCIES, IBANS, METHODS, PAYERS, SELLERS, TEXTS, Method, Step, Verb

Form = dict[str, str]
# What stands in a path for what is not there.
NOTHING = "0" * 32
ANY: tuple[Verb, ...] = (
    *("confirm", "confirm", "authenticate", "update", "cancel", "capture", "capture", "capture", "increment"),
    *("refund", "refund", "refund", "fund", "fund", "apply", "set_mode", "reverse", "return_fee"),
    *("return_cash", "cancel_return"),
)
DISPUTES: tuple[Verb, ...] = ("dispute", "respond", "close")
# What depends on what is available, which nobody else may change meanwhile.
ALONE: tuple[Verb, ...] = ("transfer", "pay_out", "pay_out", "cancel_payout", "reverse_payout")
_ABOUT_PAYOUTS = frozenset(("cancel_payout", "reverse_payout"))
# Those whose outcome is known at once.
CARDS_AND_CASH = tuple(method for method in METHODS if method not in IBANS)


def _is(*statuses: str) -> Callable[[Payment], int]:
    return lambda payment: payment.status in statuses


def _left_of_fee(payment: Payment) -> int:
    last = payment.last_fee()
    return 0 if last is None else last.fee - last.fee_refunded


# How much a step of each kind may be about, 0 for a payment that it had better not be about.
_LEFT: Mapping[Verb, Callable[[Payment], int]] = {
    "apply": lambda payment: payment.awaited or 0,
    "authenticate": lambda payment: payment.status == "requires_action" and payment.awaited is None,
    "cancel": _is("requires_action", "requires_capture"),
    "capture": lambda payment: payment.most_capturable if payment.capturable else 0,
    "close": lambda payment: payment.awaits_response,
    "confirm": _is(*OPEN),
    "dispute": lambda payment: 0 if payment.undisputable else payment.captured - payment.refunded,
    "fund": lambda payment: 2 * (payment.awaited or 0),
    "increment": lambda payment: payment.flexible and payment.status == "requires_capture",
    "refund": lambda payment: 0 if payment.is_charged_back else payment.captured - payment.refunded,
    "respond": lambda payment: payment.awaits_response,
    "return_fee": _left_of_fee,
    "reverse": lambda payment: (
        payment.passed[-1].amount - payment.passed[-1].reversed if payment.passed else 0
    ),
    "transfer": lambda payment: payment.captured - payment.refunded,
    "update": _is(*OPEN),
}


def random_step(
    chance: random.Random, books: Books, verbs: Sequence[Verb], methods: Sequence[Method] = METHODS
) -> Step:
    """Return any step of these kinds, most often about one of the last payments that it may be about."""
    verb, place = _subject(chance, books, verbs)
    about = books.payments[place] if place < len(books.payments) else None
    amount, method = None, chance.choice((None, *methods, "visa", "bypassPending", "cash", "cash"))
    currency = _currency(chance, verb, method, books)
    if verb in {"create", "update", "increment"}:
        amount = chance.randint(1, 2_000)
    elif verb in {"fund", "pay_out", "return_cash"} or chance.random() < 0.6:
        left = 0 if about is None or verb not in _LEFT else _LEFT[verb](about)
        if verb == "return_cash":
            left = books.customers.available[0, currency]
        amount = chance.randint(1, left if left > 1 and chance.random() < 0.9 else 1_000)
    keeps = chance.choice(("fee", "fee", "part", "all"))
    kept = chance.randint(0, (amount or 0) * 11 // 10)
    seller = chance.randrange(SELLERS) if chance.random() < 0.5 or verb == "transfer" else None
    has_payer = verb in {"fund", "set_mode", "return_cash"} or chance.random() < (
        0.95 if method == "cash" else 0.5
    )
    passed_on = about is not None and bool(about.passed)
    is_automatic = verb == "create" and method in {*IBANS, "cash"}
    return Step(
        verb=verb,
        place=place,
        amount=amount,
        currency=currency,
        method=method,
        payer=chance.randrange(PAYERS) if has_payer else None,
        may_wait=chance.random() < (0.5 if verb == "return_cash" else 0.9),
        seller=seller,
        fee=kept if seller is not None and keeps == "fee" else None,
        part=kept if seller is not None and keeps == "part" else None,
        manual=chance.random() < (0.1 if is_automatic else 0.4),
        flexible=chance.random() < 0.7,
        final=chance.random() < (0.2 if about is not None and about.flexible else 0.8),
        confirm=chance.random() < 0.9,
        succeeds=chance.random() < 0.7,
        text=chance.choice(TEXTS),
        reverses=chance.random() < (0.6 if passed_on else 0.2),
        returns_fee=chance.random() < 0.5,
    )


def _currency(chance: random.Random, verb: Verb, method: Method | None, books: Books) -> str:
    """Return a currency, mostly one in which a bank can debit, or a payment waits for money."""
    if chance.random() < 0.8:
        waiting = [one.currency for one in books.payments if one.awaited is not None]
        if verb == "fund" and waiting:
            return waiting[-1]
        if verb == "create" and method in IBANS:
            return "eur"
        owned = [currency for (_, currency), amount in books.customers.available.items() if amount]
        if verb == "return_cash" and owned:
            return owned[-1]
    return chance.choice(("usd", *CURRENCIES))


def _subject(chance: random.Random, books: Books, verbs: Sequence[Verb]) -> tuple[Verb, int]:
    """Return a kind of step, mostly one for which there is something, and what it is about."""
    if not books.payments or chance.random() < 0.25:
        return "create", 0
    fitting = {verb: _fitting(verb, books) for verb in verbs}
    if chance.random() < 0.9:
        verbs = [verb for verb in verbs if fitting[verb]] or verbs
    verb = chance.choice(verbs)
    if verb == "cancel_return" and not books.customers.returns:
        return "fund", 0
    places = fitting[verb] or range(len(books.payouts if verb in _ABOUT_PAYOUTS else books.payments))
    # A payout that there is not can be neither reversed nor canceled.
    return (verb, chance.choice(places[-3:])) if places else ("pay_out", 0)


def _fitting(verb: Verb, books: Books) -> Sequence[int]:
    """Return the places of what a step of this kind had best be about."""
    if verb in _ABOUT_PAYOUTS:
        return [
            place
            for place, one in enumerate(books.payouts)
            if one.succeeds and not one.is_reversal and not one.is_canceled
        ]
    if verb == "cancel_return":
        waiting = [place for place, one in enumerate(books.customers.returns) if one.waits]
        return waiting or range(len(books.customers.returns))
    if verb == "return_cash" and not any(books.customers.available.values()):
        return []
    if verb == "apply" and all(books.customers.automatic):
        return []
    left = _LEFT.get(verb)
    return [place for place, one in enumerate(books.payments) if left is None or left(one)]


def names_what_it_must_learn(step: Step) -> bool:
    """Tell whether a step's path names what only the charge of a payment tells."""
    return step.verb in {"dispute", "transfer", "reverse", "return_fee"}


def request_of(step: Step, books: Books) -> tuple[str, Form]:
    """Return the path and the form of a step on the books as they stand before."""
    match step.verb:
        case "create":
            return "/v1/payment_intents", _creation(step, books)
        case "fund" | "set_mode" | "return_cash":
            assert step.payer is not None
            return _about_cash(step, books.customers.identifiers[step.payer])
        case "cancel_return":
            return f"/v1/refunds/{books.customers.returns[step.place].identifier}/cancel", {}
        case "pay_out":
            form = _amount(step) | {"currency": step.currency}
            return "/v1/payouts", form if step.succeeds else form | {"destination": "ba_noAccount"}
        case "cancel_payout" | "reverse_payout":
            action = step.verb.removesuffix("_payout")
            return f"/v1/payouts/{books.payouts[step.place].identifier}/{action}", {}
    payment = books.payments[step.place]
    match step.verb:
        case "dispute" | "respond" | "close":
            return _about_dispute(step, payment)
        case "transfer" | "reverse" | "return_fee":
            return _about_seller(step, payment, books)
    return _about_payment(step, payment)


def _creation(step: Step, books: Books) -> Form:
    form = _amount(step) | _method(step, step.currency) | {"currency": step.currency}
    form["capture_method"] = "manual" if step.manual else "automatic"
    if step.payer is not None:
        form["customer"] = books.customers.identifiers[step.payer]
    if step.seller is not None:
        form["transfer_data[destination]"] = books.sellers.identifiers[step.seller]
        if step.fee is not None:
            form["application_fee_amount"] = str(step.fee)
        if step.part is not None:
            form["transfer_data[amount]"] = str(step.part)
    if step.flexible:
        options = "payment_method_options[card]"
        form[f"{options}[request_multicapture]"] = "if_available"
        form[f"{options}[request_incremental_authorization]"] = "if_available"
        form[f"{options}[request_overcapture]"] = "if_available"
    if step.confirm and step.method is not None:
        form["confirm"] = "true"
        if step.method in IBANS:
            form |= _ACCEPTED
    return form


_BANKS = {
    "eur": {"[type]": "eu_bank_transfer", "[eu_bank_transfer][country]": "DE"},
    "usd": {"[type]": "us_bank_transfer"},
}
_ACCEPTED = {"mandate_data[customer_acceptance][type]": "offline"}


def _about_payment(step: Step, payment: Payment) -> tuple[str, Form]:
    path = f"/v1/payment_intents/{payment.identifier}"
    match step.verb:
        case "confirm":
            accepted = _ACCEPTED if (step.method or payment.method) in IBANS else {}
            return f"{path}/confirm", _method(step, payment.currency) | accepted
        case "update":
            return path, _amount(step)
        case "authenticate":
            outcome = "succeeded" if step.succeeds else "failed"
            helper = f"/v1/test_helpers/payment_intents/{payment.identifier}/authenticate"
            return helper, {"outcome": outcome}
        case "refund":
            form = {"payment_intent": payment.identifier} | _amount(step)
            if step.reverses:
                form |= {"reverse_transfer": "true", "refund_application_fee": _flag(step.returns_fee)}
            return "/v1/refunds", form
        case "increment":
            return f"{path}/increment_authorization", _amount(step)
        case "capture":
            form = {"final_capture": _flag(step.final)}
            return f"{path}/capture", form | _amount(step, "amount_to_capture")
        case "apply":
            return f"{path}/apply_customer_balance", _amount(step)
    return f"{path}/{step.verb}", {}


def _about_cash(step: Step, customer: str) -> tuple[str, Form]:
    if step.verb == "set_mode":
        mode = "manual" if step.manual else "automatic"
        return f"/v1/customers/{customer}/cash_balance", {"settings[reconciliation_mode]": mode}
    form = _amount(step) | {"currency": step.currency}
    if step.verb == "return_cash":
        asked = {"instructions_email": "ada@example.com"} if step.may_wait else {}
        return "/v1/refunds", form | {"customer": customer, "origin": "customer_balance"} | asked
    return f"/v1/test_helpers/customers/{customer}/fund_cash_balance", form


def _about_dispute(step: Step, payment: Payment) -> tuple[str, Form]:
    if step.verb == "dispute":
        return f"/v1/test_helpers/charges/{_charge(payment)}/dispute", _amount(step)
    path = f"/v1/disputes/{payment.disputes[-1].identifier if payment.disputes else 'du_' + NOTHING}"
    if step.verb == "close":
        return path + "/close", {}
    return path, {"evidence[uncategorized_text]": step.text}


def _about_seller(step: Step, payment: Payment, books: Books) -> tuple[str, Form]:
    if step.verb == "transfer":
        assert step.seller is not None
        form = {"currency": payment.currency, "source_transaction": _charge(payment)}
        form["destination"] = books.sellers.identifiers[step.seller]
        return "/v1/transfers", form | _amount(step)
    if step.verb == "reverse":
        transfer = payment.passed[-1].identifier if payment.passed else f"tr_{NOTHING}"
        form = {"refund_application_fee": _flag(step.returns_fee)}
        return f"/v1/transfers/{transfer}/reversals", form | _amount(step)
    taken = payment.last_fee()
    fee = f"fee_{NOTHING}" if taken is None else taken.fee_id
    return f"/v1/application_fees/{fee}/refunds", _amount(step)


def _charge(payment: Payment) -> str:
    return payment.charge_id or f"ch_{NOTHING}"


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _amount(step: Step, name: str = "amount") -> Form:
    return {} if step.amount is None else {name: str(step.amount)}


def _method(step: Step, currency: str) -> Form:
    if step.method is None:
        return {}
    data = "payment_method_data"
    if step.method == "cash":
        options = "payment_method_options[customer_balance]"
        form = {f"{data}[type]": "customer_balance"}
        if step.may_wait:
            form[f"{options}[funding_type]"] = "bank_transfer"
            form |= {f"{options}[bank_transfer]{name}": value for name, value in _BANKS[currency].items()}
        return form
    if step.method not in IBANS:
        return {"payment_method": f"pm_card_{step.method}"}
    return {
        f"{data}[type]": "sepa_debit",
        f"{data}[sepa_debit][iban]": IBANS[step.method],
        f"{data}[billing_details][name]": "Ada",
        f"{data}[billing_details][email]": "ada@example.com",
    }
