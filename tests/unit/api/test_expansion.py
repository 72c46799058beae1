"""Paths are checked before anything is done, and then replaced with one question a level."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
import stripe

from fastpay import limits
from fastpay.api import expansion
from fastpay.api.app import RESOURCES
from fastpay.api.expansion import expand
from fastpay.api.resource import Sublist
from fastpay.api.resources.balances import render_balance_transaction
from fastpay.domain import kinds
from fastpay.domain.objects import InvoiceSettings
from fastpay.errors import InvalidRequest
from tests.support import samples
from tests.support.dialect import violations
from tests.support.states import SETUPS, STATES

CUSTOMER = samples.customer()
METHOD = samples.payment_method(customer=samples.CUSTOMER_ID)
INTENT = samples.payment_intent(
    "succeeded",
    customer=samples.CUSTOMER_ID,
    payment_method=samples.METHOD_ID,
    latest_charge=samples.CHARGE_ID,
)
DECLINED = STATES["a declined intent"]
CHARGE = samples.captured_charge(customer=samples.CUSTOMER_ID)
REFUND = samples.refund(balance_transaction=samples.TRANSACTION_ID)

SDK_CLASSES: dict[str, Any] = {
    "pi": stripe.PaymentIntent,
    "ch": stripe.Charge,
    "re": stripe.Refund,
    "bal": stripe.Balance,
    "pm": stripe.PaymentMethod,
    "po": stripe.Payout,
    "acct": stripe.Account,
    "tr": stripe.Transfer,
    "trr": stripe.TransferReversal,
    "fee": stripe.ApplicationFee,
    "ca": stripe.Application,
    "fr": stripe.ApplicationFeeRefund,
    "cus": stripe.Customer,
    "du": stripe.Dispute,
    "we": stripe.WebhookEndpoint,
    "txn": stripe.BalanceTransaction,
    "evt": stripe.Event,
    "seti": stripe.SetupIntent,
    "setatt": stripe.SetupAttempt,
    "mandate": stripe.Mandate,
    "tok": stripe.Token,
    "ctoken": stripe.ConfirmationToken,
    "card": stripe.Card,
    "ccb": stripe.CashBalance,
    "ccsbtxn": stripe.CustomerCashBalanceTransaction,
    "fundinst": stripe.FundingInstructions,
}


def check_paths(prefix: str, paths: Sequence[str], *, listed: bool = False) -> tuple[str, ...]:
    """Check paths into an object with this prefix."""
    expandable = RESOURCES.of_kind(kinds.KINDS[prefix]).expandable
    return expansion.check_paths(RESOURCES, expandable, paths, listed=listed)


class Fetcher:
    """A resolver that remembers what it was asked."""

    resources = RESOURCES

    def __init__(self, *, refunds: int = 1, without: Sequence[str] = ()) -> None:
        self.objects = {
            stored.id: RESOURCES.render(stored, False)
            for stored in (CUSTOMER, METHOD, INTENT, CHARGE, REFUND)
        }
        transaction = render_balance_transaction(samples.transfer(), samples.CREATED_S, CHARGE)
        self.objects[samples.TRANSACTION_ID] = msgspec.json.decode(transaction)
        for identifier in without:
            del self.objects[identifier]
        self.refunds = refunds
        self.asked: list[list[str]] = []
        self.asked_refunds: list[str] = []
        self.steps = 0

    async def resolve(self, identifiers: Sequence[str]) -> Mapping[str, dict[str, object]]:
        self.asked.append(list(identifiers))
        return {name: self.objects[name] for name in identifiers if name in self.objects}

    async def list_each(
        self, sublist: Sublist, identifiers: Sequence[str]
    ) -> Mapping[str, list[dict[str, object]]]:
        assert (sublist.kind, sublist.field) == (kinds.REFUND, "charge")
        self.asked_refunds += identifiers
        refunds = [RESOURCES.render(REFUND, False) for _ in range(self.refunds)]
        return dict.fromkeys(identifiers, refunds)

    async def step(self) -> None:
        self.steps += 1


def expanded(stored: Any, *paths: str, fetcher: Fetcher | None = None) -> Any:
    """Render and expand one object."""
    rendered = RESOURCES.render(stored, False)
    asyncio.run(expand([rendered], paths, fetcher or Fetcher()))
    return rendered


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("pi", "customer"),
        ("pi", "latest_charge.balance_transaction.source.payment_intent"),
        ("pi", "last_payment_error.payment_method"),
        ("pi", "last_payment_error.payment_method.customer"),
        ("pi", "latest_charge.refunds"),
        ("pi", "latest_charge.refunds.data.balance_transaction"),
        ("pi", "fastpay.attempts.data.payment_method"),
        ("pi", "review"),
        ("pi", "transfer_data.destination"),
        ("pi", "latest_charge.source_transfer.destination_payment"),
        ("ch", "refunds.data"),
        ("re", "payment_method"),
        ("cus", "invoice_settings.default_payment_method"),
        ("txn", "source.charge"),
        ("txn", "source.refunds"),
        ("tr", "reversals"),
        ("tr", "reversals.data.balance_transaction.source"),
        ("fee", "refunds.data.balance_transaction"),
        ("du", "balance_transactions"),
        ("acct", "external_accounts"),
    ],
)
def test_a_path_that_leads_somewhere_is_taken(kind: str, path: str) -> None:
    assert check_paths(kind, [path]) == (path,)


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("pi", "nonsense"),
        ("pi", ""),
        ("pi", "customer."),
        ("pi", ".customer"),
        ("pi", "customer..invoice_settings.default_payment_method"),
        ("pi", "amount"),
        ("pi", "metadata.customer"),
        ("pi", "last_payment_error"),
        ("pi", "latest_charge.data.customer"),
        ("pi", "data.customer"),
        ("ch", "payment_method"),
        ("cus", "invoice_settings"),
        ("txn", "source.latest_charge"),
    ],
)
def test_a_path_that_leads_nowhere_is_refused(kind: str, path: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        check_paths(kind, [path])
    assert refusal.value.param == "expand"
    assert f"'{path}'" in refusal.value.message


def test_in_a_list_the_paths_begin_with_data() -> None:
    assert check_paths("pi", ["data.customer", "data.review"], listed=True) == ("customer", "review")
    for path in ("customer", "data", "data.", "data.data.customer"):
        with pytest.raises(InvalidRequest):
            check_paths("pi", [path], listed=True)


def test_a_path_given_twice_counts_once() -> None:
    assert check_paths("pi", ["review", "customer", "review"]) == ("review", "customer")


def test_more_paths_than_allowed_are_refused() -> None:
    paths = ["customer"] * limits.expand_paths_max
    assert check_paths("pi", paths) == ("customer",)
    with pytest.raises(InvalidRequest):
        check_paths("pi", [*paths, "customer"])


def test_a_path_deeper_than_allowed_is_refused() -> None:
    names = ["payment_intent", "latest_charge"] * limits.expand_depth_max
    allowed = ".".join(names[: limits.expand_depth_max])
    assert check_paths("ch", [allowed]) == (allowed,)
    for path in (".".join(names[: limits.expand_depth_max + 1]), "review" + ".x" * 1_000):
        with pytest.raises(InvalidRequest, match="too deep") as refusal:
            check_paths("ch", [path])
        assert len(refusal.value.message) < 300


@pytest.mark.parametrize(
    ("prefix", "path", "listed", "hint"),
    [
        ("pi", "lastest_charge", False, "Did you mean 'latest_charge'?"),
        ("pi", "data.lastest_charge", True, "Did you mean 'data.latest_charge'?"),
        ("pi", "latest_charge.custmer", False, "Did you mean 'latest_charge.customer'?"),
        ("re", "zzz", False, "Here can be expanded: "),
        ("re", "charge.zzz", False, "In charge can be expanded: "),
    ],
)
def test_a_path_that_leads_nowhere_is_refused_with_the_nearest_one(
    prefix: str, path: str, listed: bool, hint: str
) -> None:
    expandable = RESOURCES.of_kind(kinds.KINDS[prefix]).expandable
    with pytest.raises(InvalidRequest) as refusal:
        expansion.check_paths(RESOURCES, expandable, [path], listed=listed)
    assert refusal.value.message.startswith(f"'{path}' cannot be expanded. {hint}")


# Fields that clients of earlier versions of the dialect expand.
LEGACY = {"ch": {"dispute"}}


def test_every_declared_field_is_one_that_the_sdk_knows() -> None:
    own = {"att", "lacc", "lbal", "lbat", "lent", "ltr", "stl", "stlr", "wrp"}
    assert {resource.kind.prefix for resource in RESOURCES} - own == set(SDK_CLASSES)
    for prefix, known in SDK_CLASSES.items():
        expandable = RESOURCES.of_kind(kinds.KINDS[prefix]).expandable
        names = {name.partition(".")[0] for name in expandable} - LEGACY.get(prefix, set()) - {"fastpay"}
        assert names <= set(known.__annotations__)


def test_every_reference_that_the_sdk_can_expand_is_declared() -> None:
    for stored in (INTENT, CHARGE, REFUND, METHOD, *SETUPS.values()):
        resource = RESOURCES.of_object(stored)
        annotations = SDK_CLASSES[resource.kind.prefix].__annotations__
        for name, value in resource.render(stored, False).items():
            if name != "id" and isinstance(value, str) and RESOURCES.named(value) is not None:
                is_expandable = "ForwardRef" in str(annotations[name])
                assert (name in resource.expandable) == is_expandable, (stored.id, name)


def test_without_paths_nothing_changes_and_nobody_is_asked() -> None:
    fetcher = Fetcher()
    assert expanded(INTENT, fetcher=fetcher) == RESOURCES.render(INTENT, False)
    assert fetcher.asked == []


def test_an_identifier_becomes_the_object() -> None:
    shown = expanded(INTENT, "customer")
    assert shown["customer"] == RESOURCES.render(CUSTOMER, False)
    assert shown["latest_charge"] == samples.CHARGE_ID


def test_paths_go_on_inside_of_what_they_expanded() -> None:
    shown = expanded(
        INTENT, "latest_charge.balance_transaction.source.customer", "payment_method.customer", "customer"
    )
    assert shown["latest_charge"]["balance_transaction"]["source"]["customer"]["object"] == "customer"
    assert shown["payment_method"]["customer"]["id"] == samples.CUSTOMER_ID
    # Asked for elsewhere only.
    assert shown["latest_charge"]["customer"] == samples.CUSTOMER_ID
    assert violations(shown, stripe.PaymentIntent) == []


def test_a_field_inside_of_a_part_is_replaced_there() -> None:
    settings = InvoiceSettings(default_payment_method=samples.METHOD_ID, footer="Thanks")
    shown = expanded(samples.customer(invoice_settings=settings), "invoice_settings.default_payment_method")
    assert shown["invoice_settings"]["default_payment_method"]["object"] == "payment_method"
    assert shown["invoice_settings"]["footer"] == "Thanks"


def test_what_is_always_null_stays_null() -> None:
    paths = check_paths("pi", ["review", "on_behalf_of", "transfer_data.destination", "payment_record"])
    assert expanded(INTENT, *paths) == RESOURCES.render(INTENT, False)


def test_what_the_resolver_does_not_know_stays_an_identifier() -> None:
    shown = expanded(INTENT, "customer.default_source", fetcher=Fetcher(without=[samples.CUSTOMER_ID]))
    assert shown["customer"] == samples.CUSTOMER_ID


def test_a_null_reference_asks_nobody() -> None:
    fetcher = Fetcher()
    assert expanded(samples.payment_intent(), "customer", fetcher=fetcher)["customer"] is None
    assert fetcher.asked == []


def test_one_question_a_level_for_all_objects_and_none_twice() -> None:
    fetcher = Fetcher()
    rendered = [
        RESOURCES.render(INTENT, False),
        RESOURCES.render(CHARGE, False),
        RESOURCES.render(REFUND, False),
    ]
    asyncio.run(expand(rendered, ["latest_charge.customer", "charge.customer", "customer"], fetcher))
    assert [sorted(asked) for asked in fetcher.asked] == [sorted([samples.CUSTOMER_ID, samples.CHARGE_ID])]


def test_an_object_that_goes_round_in_a_circle_ends_with_its_path() -> None:
    shown = expanded(INTENT, "latest_charge.payment_intent.latest_charge.payment_intent")
    last = shown["latest_charge"]["payment_intent"]["latest_charge"]["payment_intent"]
    assert last["latest_charge"] == samples.CHARGE_ID
    assert msgspec.json.encode(shown).count(b"client_secret") == 3


def test_what_the_resolver_gave_is_not_changed() -> None:
    settings = InvoiceSettings(default_payment_method=samples.METHOD_ID)
    fetcher = Fetcher()
    fetcher.objects[samples.CUSTOMER_ID] = RESOURCES.render(
        samples.customer(invoice_settings=settings), False
    )
    before = msgspec.json.encode(fetcher.objects)
    expanded(
        INTENT, "customer.invoice_settings.default_payment_method", "latest_charge.refunds", fetcher=fetcher
    )
    assert msgspec.json.encode(fetcher.objects) == before


def test_the_payment_method_of_the_last_error_is_shown_whole_without_being_asked() -> None:
    shown = expanded(DECLINED)
    assert shown["last_payment_error"]["payment_method"]["object"] == "payment_method"
    assert shown["last_payment_error"]["payment_method"]["customer"] == samples.CUSTOMER_ID
    assert violations(shown, stripe.PaymentIntent) == []


def test_the_last_error_is_shown_whole_further_down_as_well() -> None:
    fetcher = Fetcher()
    fetcher.objects[samples.INTENT_ID] = RESOURCES.render(DECLINED, False)
    shown = expanded(CHARGE, "payment_intent", fetcher=fetcher)
    assert shown["payment_intent"]["last_payment_error"]["payment_method"]["object"] == "payment_method"


def test_the_payment_method_of_the_last_error_can_be_expanded_further() -> None:
    shown = expanded(DECLINED, "last_payment_error.payment_method.customer")
    assert shown["last_payment_error"]["payment_method"]["customer"]["object"] == "customer"


def test_the_refunds_of_a_charge_become_a_list() -> None:
    shown = expanded(CHARGE, "refunds")
    assert shown["refunds"] == {
        "object": "list",
        "url": f"/v1/charges/{samples.CHARGE_ID}/refunds",
        "has_more": False,
        "data": [RESOURCES.render(REFUND, False)],
    }
    assert violations(shown, stripe.Charge) == []


@pytest.mark.parametrize(("refunds", "has_more"), [(0, False), (10, False), (11, True)])
def test_no_more_refunds_than_a_page_are_shown(refunds: int, has_more: bool) -> None:
    shown = expanded(CHARGE, "refunds", fetcher=Fetcher(refunds=refunds))["refunds"]
    assert (len(shown["data"]), shown["has_more"]) == (min(refunds, limits.page_size_default), has_more)


def test_a_path_goes_on_through_the_refunds_of_a_charge() -> None:
    fetcher = Fetcher(refunds=3)
    shown = expanded(INTENT, "latest_charge.refunds.data.balance_transaction", fetcher=fetcher)
    transactions = [refund["balance_transaction"] for refund in shown["latest_charge"]["refunds"]["data"]]
    assert [transaction["object"] for transaction in transactions] == ["balance_transaction"] * 3
    assert fetcher.asked == [[samples.CHARGE_ID], [samples.TRANSACTION_ID]]


def test_the_refunds_of_one_charge_are_fetched_once() -> None:
    fetcher = Fetcher()
    expanded(CHARGE, "refunds.data.charge.refunds", "payment_intent.latest_charge.refunds", fetcher=fetcher)
    assert fetcher.asked_refunds == [samples.CHARGE_ID]


def test_the_same_refunds_shown_twice_are_expanded_each_as_asked() -> None:
    shown = expanded(CHARGE, "refunds.data.charge", "payment_intent.latest_charge.refunds")
    (here,) = shown["refunds"]["data"]
    (there,) = shown["payment_intent"]["latest_charge"]["refunds"]["data"]
    assert (here["charge"]["object"], there["charge"]) == ("charge", samples.CHARGE_ID)


def test_a_source_of_several_kinds_is_expanded_as_far_as_it_has_the_field() -> None:
    # The fields behind it are a refund's, a charge's and, in a charge, not one to expand.
    wanted = ["charge", "refunds", "payment_method"]
    paths = check_paths("ch", [f"balance_transaction.source.{name}" for name in wanted])
    shown = expanded(CHARGE, *paths)["balance_transaction"]["source"]
    assert shown["object"] == "charge"
    assert "charge" not in shown
    assert shown["refunds"]["object"] == "list"
    assert shown["payment_method"] == samples.METHOD_ID


def test_an_answer_that_would_grow_out_of_proportion_is_refused() -> None:
    rendered = [RESOURCES.render(CHARGE, False) for _ in range(limits.page_size_max)]
    paths = check_paths("ch", ["refunds.data.charge.refunds.data.charge"])
    with pytest.raises(InvalidRequest) as refusal:
        asyncio.run(expand(rendered, paths, Fetcher(refunds=limits.page_size_default)))
    assert refusal.value.param == "expand"


def test_a_long_page_is_expanded_in_steps_with_the_loop_free_between_them() -> None:
    fetcher = Fetcher()
    page: list[dict[str, Any]] = [RESOURCES.render(INTENT, False) for _ in range(limits.page_size_max)]
    asyncio.run(expand(page, ("latest_charge.balance_transaction", "customer"), fetcher))
    # A hundred intents, two hundred objects in them and a hundred in those.
    assert fetcher.steps >= 400 // limits.expanded_at_once_max
    assert all(shown["latest_charge"]["balance_transaction"]["id"] for shown in page)


def test_one_object_is_expanded_in_one_go() -> None:
    fetcher = Fetcher()
    expanded(INTENT, "latest_charge.balance_transaction", "customer", fetcher=fetcher)
    assert fetcher.steps == 0
