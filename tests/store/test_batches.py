"""What a batch writes, read back; and batches that the database refuses in part."""

import asyncio
from collections.abc import Iterable
from typing import Any

import asyncpg
import msgspec
import pytest

from fastpay import limits
from fastpay.domain import cards
from fastpay.domain.bank_accounts import SepaDebit
from fastpay.domain.customers import CreateCustomer
from fastpay.domain.objects import (
    Address,
    BillingDetails,
    Cash,
    Charge,
    Customer,
    InvoiceSettings,
    PaymentError,
    PaymentIntent,
    PaymentMethod,
    Refund,
    Shipping,
    StoredObject,
)
from fastpay.domain.options import ChargeExtras, PaymentExtras
from fastpay.domain.plan import Draft, Workspace
from fastpay.engine.ports import Filter, Outcome, Page
from fastpay.errors import FastpayError
from fastpay.store.connections import connected
from fastpay.store.postgres import DatabaseSettings, connect
from tests.support.engine import (
    CLOCK,
    check_books,
    engine,
    make_tenant,
    read_objects,
    read_transfers,
    read_versions,
)
from tests.support.world import PAY, card

ADDRESS = Address(city="Zürich", country="CH", line1="1", line2="2", postal_code="8000", state="ZH")
SHIPPING = Shipping(address=ADDRESS, carrier="c", name="n", phone="p", tracking_number="t")
BILLING = BillingDetails(address=ADDRESS, email="e@example.com", name="名前", phone="p", tax_id="t")
METADATA = {"ключ": "значение", "emoji": "😀", "quote": "'\"\\", "control": "\x01\x7f"}
CARD = cards.Card(
    brand="visa",
    last4="4242",
    exp_month=1,
    exp_year=2030,
    fingerprint="f" * 16,
    behaviour="success",
    funding="debit",
    country="CH",
    cvc_check="pass",
    address_line1_check="fail",
    address_postal_code_check="unavailable",
)


def name(prefix: str, number: int) -> str:
    """Return an identifier."""
    return f"{prefix}_{number:032x}"


FULL: list[StoredObject] = [
    Customer(
        id=name("cus", 1),
        created=1,
        address=ADDRESS,
        balance=-5,
        cash=Cash(available={"eur": 3}, reconciliation_mode="manual", waiting={name("pi", 9): name("pm", 9)}),
        default_source=name("card", 2),
        description="d",
        email="e@example.com",
        invoice_prefix="P",
        invoice_settings=InvoiceSettings(default_payment_method=name("pm", 2), footer="f"),
        metadata=METADATA,
        name="n",
        next_invoice_sequence=2,
        phone="p",
        preferred_locales=("de", "fr"),
        shipping=SHIPPING,
        tax_exempt="exempt",
    ),
    PaymentMethod(
        id=name("pm", 2),
        created=2,
        card=CARD,
        allow_redisplay="always",
        billing_details=BILLING,
        customer=name("cus", 1),
        metadata=METADATA,
        is_set_up=True,
        type="sepa_debit",
        sepa_debit=SepaDebit(bank_code="37040044", country="DE", fingerprint="f", last4="3000"),
    ),
    PaymentIntent(
        id=name("pi", 3),
        created=3,
        amount=99_999_999,
        currency="chf",
        status="succeeded",
        client_secret="s",
        amount_received=99_999_999,
        automatic_payment_methods=False,
        allow_redirects="never",
        canceled_at=4,
        cancellation_reason="abandoned",
        capture_method="manual",
        confirmation_method="manual",
        customer=name("cus", 1),
        description="d",
        last_payment_error=PaymentError(
            code="c", message="m", decline_code="d", param="p", charge="ch", payment_method="pm", type="t"
        ),
        latest_charge=name("ch", 4),
        metadata=METADATA,
        payment_method=name("pm", 2),
        payment_method_types=("card", "link"),
        receipt_email="r",
        return_url="u",
        setup_future_usage="off_session",
        shipping=SHIPPING,
        statement_descriptor="sd",
        statement_descriptor_suffix="sds",
        transfer_group="tg",
        extras=PaymentExtras(level3="{}"),
        challenge_url="u",
    ),
    Charge(
        id=name("ch", 4),
        created=4,
        dispute=name("du", 5),
        amount=99_999_999,
        currency="chf",
        status="succeeded",
        payment_intent=name("pi", 3),
        payment_method=name("pm", 2),
        card=CARD,
        amount_captured=99_999_999,
        amount_refunded=5,
        balance_transaction="txn",
        billing_details=BILLING,
        capture_before=5,
        captured=True,
        customer=name("cus", 1),
        description="d",
        failure_code="fc",
        failure_message="fm",
        fee=7,
        funds_available=True,
        hold="tr",
        metadata=METADATA,
        outcome_reason="or",
        outcome_type="blocked",
        receipt_email="r",
        released=True,
        risk_level="elevated",
        risk_score=60,
        shipping=SHIPPING,
        statement_descriptor="sd",
        statement_descriptor_suffix="sds",
        transfer_group="tg",
        extras=ChargeExtras(level3="{}"),
        fraud_report="safe",
        funds_delay_days=7,
    ),
    Refund(
        id=name("re", 5),
        created=5,
        changes_at=9,
        expires_at=10,
        failure_balance_transaction=name("txn", 6),
        destination="customer_cash_balance",
        failure_reason="declined",
        instructions_email="e@example.com",
        amount=5,
        currency="chf",
        charge=name("ch", 4),
        payment_intent=name("pi", 3),
        status="succeeded",
        balance_transaction="txn",
        customer=name("cus", 1),
        metadata=METADATA,
        payment_method=name("pm", 2),
        reason="duplicate",
        transfer_reversal=name("trr", 7),
    ),
]


class Put(msgspec.Struct, frozen=True, kw_only=True):
    """A command of the test: writes these objects as they are."""

    objects: tuple[Any, ...]

    def needs(self, workspace: Workspace) -> Iterable[str]:
        """Need what stands, to know its version."""
        return [stored.id for stored in self.objects]

    def execute(self, workspace: Workspace, draft: Draft) -> str:
        """Write them."""
        for stored in self.objects:
            draft.put(stored, "test.written")
        return str(self.objects[0].id)


def test_the_full_objects_leave_no_field_at_its_default() -> None:
    """Else the round trip would prove less than it says."""
    for stored in FULL:
        optional = {
            field.name: field.default for field in msgspec.structs.fields(stored) if not field.required
        }
        same = {field for field, default in optional.items() if getattr(stored, field) == default}
        assert same <= {"deleted", "amount_capturable"}


async def test_every_field_of_every_object_is_read_back_as_written(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        submitted = instance.submission(Put(objects=tuple(FULL)), scope, key="k")
        outcome = await instance.writer.submit(msgspec.structs.replace(submitted, expand=("a", "b.c")))
        again = await instance.submit(Put(objects=tuple(FULL)), scope, key="k")
        found = await read_objects(instance.reads, scope, [stored.id for stored in FULL])
        at = await instance.reads.get_objects_at(scope, [stored.id for stored in FULL], 5)
        before = await instance.reads.get_objects_at(scope, [stored.id for stored in FULL], 4)
    assert sorted((versioned.object for versioned in found), key=lambda stored: stored.created) == FULL
    assert {(versioned.version, versioned.sequence) for versioned in found} == {(1, 5)}
    assert (sorted(at, key=str), before) == (sorted(found, key=str), [])
    assert again.answer == outcome.answer
    assert again.answer.expand == ("a", "b.c")


async def test_a_decline_is_read_back_as_it_was_answered(database_url: str) -> None:
    scope = await make_tenant(database_url)
    declined = msgspec.structs.replace(PAY, payment_method=card("chargeDeclinedExpiredCard"))
    async with engine(database_url) as instance:
        first = await instance.submit(declined, scope, key="k")
    async with engine(database_url) as instance:
        again = await instance.submit(declined, scope, key="k")
    assert first.answer.error is not None
    assert first.answer.error.param == "exp_month"
    assert again.answer == first.answer


async def test_transfers_and_accounts_are_read_back_as_written(database_url: str) -> None:
    scope = await make_tenant(database_url)
    async with engine(database_url) as instance:
        paid = await instance.do(PAY, scope)
        async with connected(database_url) as connection:
            made = await read_transfers(connection, scope)
        found = await instance.reads.get_transfers(scope, [transfer.id for transfer in made])
        accounts = await instance.reads.list_accounts(scope)
    assert [transfer for transfer, _ in found] == made
    assert {moment_ms // 1000 for _, moment_ms in found} == {paid.created}
    assert {(account.code, account.balance) for account in accounts} == {
        ("processor", 1000),
        ("pending", 941),
        ("fees", 59),
    }


async def test_each_version_stays_readable_at_its_sequence(database_url: str) -> None:
    scope = await make_tenant(database_url)
    versions = [Customer(id=name("cus", 1), created=0, name=str(number)) for number in range(4)]
    async with engine(database_url) as instance:
        for version in versions:
            await instance.do(Put(objects=(version,)), scope)
        for sequence, version in enumerate(versions, start=1):
            (found,) = await instance.reads.get_objects_at(scope, [version.id], sequence)
            assert (found.object, found.version) == (version, sequence)
        (latest,) = await read_objects(instance.reads, scope, [name("cus", 1)])
        assert latest.version == 4


BAD = [
    msgspec.structs.replace(FULL[3], amount_captured=5, amount_refunded=6, fee=0),
    msgspec.structs.replace(FULL[2], id=name("pi", 77), amount=2**63),
    msgspec.structs.replace(FULL[0], id=name("cus", 77), name="\ud800"),
    msgspec.structs.replace(FULL[0], id=name("cus", 77), email="\0"),
    msgspec.structs.replace(FULL[1], id=name("pm", 77), customer=name("cus", 999)),
    msgspec.structs.replace(FULL[0], id="cus_nonsense"),
    msgspec.structs.replace(FULL[0], id=name("cus", 77), name=object()),
]


@pytest.mark.parametrize("bad", BAD, ids=range(len(BAD)))
async def test_what_the_database_refuses_fails_alone(database_url: str, bad: StoredObject) -> None:
    scope, neighbour = await make_tenant(database_url), await make_tenant(database_url, "neighbour")
    async with engine(database_url) as instance:
        await instance.do(Put(objects=tuple(FULL[:3])), scope)
        results = await asyncio.gather(
            instance.submit(PAY, scope, key="before"),
            instance.submit(Put(objects=(bad,)), scope, key="bad"),
            instance.submit(PAY, scope, key="after"),
            instance.submit(PAY, neighbour, key="beside"),
            return_exceptions=True,
        )
        assert [type(result) for result in results] == [Outcome, FastpayError, Outcome, Outcome]
        replays = await asyncio.gather(
            instance.submit(PAY, scope, key="before"),
            instance.submit(PAY, scope, key="after"),
            instance.submit(PAY, neighbour, key="beside"),
        )
        assert all(replay.original_request_id for replay in replays)
        # The key of the one that failed is not used up.
        good = await instance.submit(CreateCustomer(fields={}), scope, key="bad")
        assert good.original_request_id is None
    async with connected(database_url) as connection:
        versions = await read_versions(connection, scope)
        assert [versioned.sequence for versioned in versions if versioned.object.id == bad.id] in ([], [3])
        events = await connection.fetch("select sequence from event where tenant_id = $1", scope.tenant_id)
        assert sorted(row["sequence"] for row in events) == list(range(1, len(events) + 1))
    assert await check_books(database_url, neighbour) == 3


async def test_a_batch_over_many_tenants_and_currencies_is_written_whole(database_url: str) -> None:
    scopes = [await make_tenant(database_url, f"shop {number}") for number in range(3)]
    async with engine(database_url) as instance:
        commands = [
            instance.submit(msgspec.structs.replace(PAY, currency=currency), scope)
            for scope in scopes
            for currency in ("usd", "eur", "jpy")
            for _ in range(20)
        ]
        outcomes = await asyncio.gather(*commands)
    assert {outcome.answer.error for outcome in outcomes} == {None}
    assert [await check_books(database_url, scope) for scope in scopes] == [180, 180, 180]


async def test_a_connection_has_bounds_on_statements_and_on_waiting_for_locks(database_url: str) -> None:
    connection = await connect(DatabaseSettings(url=database_url))
    try:
        found = [
            await connection.fetchval(f"show {setting}") for setting in ("statement_timeout", "lock_timeout")
        ]
    finally:
        await connection.close()
    assert found == ["4500ms", "4s"]


async def test_a_connection_that_cannot_be_prepared_is_not_left_open(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastpay.store.postgres._PLANNER", "set no_such_setting = on")
    with pytest.raises(asyncpg.PostgresError):
        await connect(DatabaseSettings(url=database_url))
    async with connected(database_url) as connection:
        left = "select count(*) from pg_stat_activity where application_name = 'fastpay' and datname = $1"
        database = await connection.fetchval("select current_database()")
        for _ in range(100):
            count = await connection.fetchval(left, database)
            if count == 0:
                break
            await asyncio.sleep(0.01)
        await connection.fetch(left.replace("count(*)", "pg_terminate_backend(pid, 1000)"), database)
        assert count == 0


async def test_the_longest_email_address_can_be_written(database_url: str) -> None:
    """An index takes rows of no more than 2,704 bytes; a character may be four."""
    scope = await make_tenant(database_url)
    email = "".join(chr(0x10000 + CLOCK.random_bytes(1)[0] * 97 + n) for n in range(limits.email_chars_max))
    async with engine(database_url) as instance:
        await instance.do(CreateCustomer(fields={"email": email}), scope)
        wanted = Filter(kind="cus", values=(("email", email),))
        assert len(await instance.reads.list_objects(scope, wanted, Page(limit=1))) == 1
