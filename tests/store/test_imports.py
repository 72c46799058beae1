"""What is imported from an older API on a real database: once, in whole pages, and as the file says."""

import asyncio
import io
from typing import Any

import pytest

from fastpay import limits
from fastpay.domain import imports
from fastpay.domain.identifiers import moment_of
from fastpay.domain.objects import Address, Customer
from fastpay.domain.plan import Draft
from fastpay.domain.refunds import CreateRefund
from fastpay.engine.rollout.choice import owner_of
from fastpay.operations.imports.reading import BadLine
from fastpay.store import imports as store
from tests.support.importing import CREATED, CUSTOMER, Imported, customer, importing, lines, opening

OWN = (
    customer(email="ada@shop.example", metadata={"tier": "gold"}, address={"city": "Paris", "line2": None}),
    opening(12_345),
    opening(20_000, account="processor"),
    opening(-700, currency="eur"),
)


async def found(own: Imported, theirs: str = CUSTOMER) -> Customer:
    """Return the customer that was imported."""
    identifier = imports.own_id(own.scope, "cus", theirs, CREATED)
    (one,) = (await store.find_objects(own.connection, own.scope, [identifier])).values()
    assert isinstance(one, Customer)
    return one


async def test_customers_and_opening_balances_are_imported_as_the_file_says(database_url: str) -> None:
    async with importing(database_url) as own:
        report = await own.take(*OWN)
        assert (report.imported, report.differs) == (4, False)
        assert list(report.rows()) == [
            ("customer", "", "1", "", "1", "", "0"),
            ("opening_balance", "eur", "1", "-7.00 EUR", "1", "-7.00 EUR", "0.00 EUR"),
            ("opening_balance", "usd", "2", "323.45 USD", "2", "323.45 USD", "0.00 USD"),
        ]
        assert await own.balances() == {
            "available usd": -12_345,
            "processor usd": 20_000,
            "opening_balance usd": -7_655,
            "available eur": 700,
            "opening_balance eur": -700,
        }
        one = await found(own)
        assert (one.email, one.metadata, one.created) == ("ada@shop.example", {"tier": "gold"}, CREATED)
        assert one.address == Address(city="Paris")
        # Lists are in the order of identifiers, and requests that name it stay on this side.
        assert (moment_of(one.id), owner_of(one.id)) == (CREATED * 1000, "fastpay")


async def test_nobody_hears_of_an_import(database_url: str) -> None:
    async with importing(database_url) as own:
        await own.take(*OWN)
        types = await own.connection.fetch(
            "select distinct type from event where tenant_id = $1", own.scope[0]
        )
        assert [row["type"] for row in types] == ["object.imported"]


async def test_a_second_import_changes_nothing(database_url: str) -> None:
    async with importing(database_url) as own:
        await own.take(*OWN)
        before = await own.counted(), await own.balances()
        again = await own.take(*OWN, OWN[1])
        assert (again.imported, again.differs) == (0, False)
        assert (await own.counted(), await own.balances()) == before


async def test_two_imports_at_once_import_each_line_once(database_url: str) -> None:
    async with importing(database_url) as own, importing(database_url) as other:
        other.importer._scope = own.scope
        reports = await asyncio.gather(own.take(*OWN), other.take(*OWN))
        assert not any(report.differs for report in reports)
        assert await own.counted() == [5, 3, 4]


async def test_an_import_that_was_interrupted_is_completed_by_the_next_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second page is refused, as if the process had been killed after the first."""
    monkeypatch.setattr(limits, "import_page_lines", 2)
    async with importing(database_url) as own:
        carry_out, pages = own.importer._commands.carry_out, 0

        async def first_only(*arguments: Any) -> Any:
            nonlocal pages
            pages += 1
            if pages > 1:
                raise asyncio.CancelledError
            return await carry_out(*arguments)

        monkeypatch.setattr(own.importer._commands, "carry_out", first_only)
        with pytest.raises(asyncio.CancelledError):
            await own.take(*OWN)
        assert await own.counted() == [3, 1, 2]
        monkeypatch.undo()
        report = await own.take(*OWN)
        assert (report.imported, report.differs) == (2, False)
        assert await own.counted() == [5, 3, 4]


FAULTS: dict[str, bytes] = {
    "line 2: this is no object of JSON": lines(OWN[0]) + b"{",
    "line 1: this is no object of JSON": b"[1]\n",
    "line 2: object is one of customer": lines(OWN[0], {"object": "invoice"}),
    "line 2: id is cus_ and": lines(OWN[0], customer("pi_3MtwBwLkdIwHu7ix28a3")),
    "line 2: created is a time in the past": lines(OWN[0], customer("cus_12345678", created=1 << 40)),
    "line 2: livemode is false": lines(OWN[0], customer("cus_12345678", livemode=True)),
    "line 2: email: ": lines(OWN[0], customer("cus_12345678", email="nobody")),
    "line 2: metadata": lines(OWN[0], customer("cus_12345678", metadata={"a" * 50: "b"})),
    "line 3: .* stands above with other values": lines(OWN[0], OWN[1], customer(email="b@shop.example")),
    "line 1: account is one of": lines(opening(1, account="fees")),
    "line 1: amount is a whole number": lines({**opening(1), "amount": 1.5}),
    "line 1: an opening balance has no date": lines({**opening(1), "date": 1}),
    "line 1: currency: Unknown currency": lines(opening(1, currency="xxx")),
    "line 1: a line has 65536 bytes at most": b" " * 70_000,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_faulty_file_changes_nothing(database_url: str, fault: str) -> None:
    async with importing(database_url) as own:
        with pytest.raises(BadLine, match=fault):
            await own.importer.import_(io.BytesIO(FAULTS[fault]))
        assert await own.counted() == [0, 0, 0]


async def test_what_was_imported_with_other_values_is_refused_with_its_line(database_url: str) -> None:
    async with importing(database_url) as own:
        await own.take(*OWN)
        before = await own.counted()
        with pytest.raises(BadLine, match=r"line 2: the opening balance .* was imported before with other"):
            await own.take(customer("cus_12345678"), opening(1))
        assert await own.counted() == before


async def test_the_report_shows_what_the_ledger_lacks(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug that imports a cent less is found by the report: it reads the ledger, not its own lines."""
    transfer = Draft.transfer

    def a_cent_less(draft: Draft, kind: str, *, amount: int, **more: Any) -> str:
        return transfer(draft, kind, amount=amount - 1, **more)

    async with importing(database_url) as own:
        monkeypatch.setattr(Draft, "transfer", a_cent_less)
        report = await own.take(opening(500))
        assert report.differs
        assert list(report.rows()) == [
            ("opening_balance", "usd", "1", "5.00 USD", "0", "4.99 USD", "-0.01 USD")
        ]


async def test_what_is_not_kept_is_counted(database_url: str) -> None:
    async with importing(database_url) as own:
        report = await own.take(customer(discount={"coupon": "ten"}, delinquent=False, sources=None))
        assert report.left_out == {"discount": 1}


CARD = {"brand": "visa", "last4": "4242", "exp_month": 8, "exp_year": 2031, "fingerprint": "Xt5EWLLDS7FJjR1c"}
METHOD = {
    **customer("pm_1MqLiJLkdIwHu7ix"),
    "object": "payment_method",
    "type": "card",
    "card": CARD,
    "customer": CUSTOMER,
}


def refund_of(amount: int, **more: Any) -> dict[str, Any]:
    return {
        "object": "refund",
        "id": f"re_1Nispe2eZvKYlo{amount}",
        "created": CREATED + 9,
        "amount": amount,
        "currency": "usd",
        "status": "succeeded",
        "reason": "requested_by_customer",
        **more,
    }


def payment(*refunds: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return a payment of 10.00 as an older API shows it, with its charge and its refunds."""
    own = customer(
        "pi_3MtwBwLkdIwHu7ix28a3",
        amount=1000,
        amount_received=1000,
        currency="usd",
        status="succeeded",
        customer=CUSTOMER,
        payment_method=METHOD["id"],
        metadata={"order": "7"},
    )
    charge = customer(
        "ch_3MmlLrLkdIwHu7ix0snN",
        amount=1000,
        amount_captured=1000,
        captured=True,
        status="succeeded",
        amount_refunded=sum(one["amount"] for one in refunds),
        currency="usd",
        payment_method_details={"type": "card", "card": CARD},
        refunds={"object": "list", "data": list(refunds), "has_more": False},
    )
    return {**own, "object": "payment_intent", "latest_charge": {**charge, "object": "charge"}, **more}


async def test_an_imported_payment_is_refunded_as_far_as_it_was_not(database_url: str) -> None:
    async with importing(database_url) as own:
        report = await own.take(OWN[0], OWN[1], METHOD, payment(refund_of(200), refund_of(100)))
        assert not report.differs
        rows = {row[:2]: row[2:] for row in report.rows()}
        assert rows["charge", "usd"][:2] == ("1", "10.00 USD")
        assert rows["refund", "usd"][:2] == ("2", "-3.00 USD")
        before = await own.balances()
        assert before["available usd"] == -12_345
        charge = imports.own_id(own.scope, "ch", "ch_3MmlLrLkdIwHu7ix0snN", CREATED)
        outcome = await own.instance.submit(CreateRefund(charge=charge, amount=701), own.scope)
        assert outcome.answer.error is not None
        await own.instance.do(CreateRefund(charge=charge), own.scope)
        after = await own.balances()
        assert {
            code: after[code] - before.get(code, 0) for code in after if after[code] != before.get(code)
        } == {"available usd": 700, "processor usd": -700}


BAD_PAYMENTS: dict[str, dict[str, Any]] = {
    "cus_NffrFeUfNV2Hib stands neither above": payment(),
    "latest_charge is an object": payment(latest_charge="ch_3MmlLrLkdIwHu7ix0snN"),
    "amount_received is what latest_charge": payment(amount_received=999),
    "amount_refunded is the sum of the refunds": payment(refund_of(1001)),
    "each refund is succeeded": payment(refund_of(5, status="pending")),
    "customer is an identifier with cus_": payment(customer={"id": CUSTOMER}),
    "status is succeeded": payment(status="requires_capture"),
}


@pytest.mark.parametrize("fault", BAD_PAYMENTS)
async def test_a_faulty_payment_is_refused_and_nothing_is_taken(database_url: str, fault: str) -> None:
    """Also one that stands above what it refers to."""
    async with importing(database_url) as own:
        with pytest.raises(BadLine, match=f"line 1: .*{fault}"):
            await own.take(BAD_PAYMENTS[fault], OWN[0], METHOD)
        assert await own.counted() == [0, 0, 0]


async def test_a_payment_is_imported_once_and_may_refer_to_an_earlier_file(database_url: str) -> None:
    async with importing(database_url) as own:
        await own.take(OWN[0], METHOD)
        report = await own.take(payment(refund_of(200)))
        before = await own.counted()
        again = await own.take(OWN[0], METHOD, payment(refund_of(200)))
        assert (report.imported, again.imported, again.differs) == (3, 0, False)
        assert await own.counted() == before


async def test_a_live_payment_is_refused(database_url: str) -> None:
    """No processor here has authorized it: nobody could return the money."""
    file = lines(OWN[0], METHOD, payment()).replace(b'"livemode":false', b'"livemode":true')
    async with importing(database_url, livemode=True) as own:
        with pytest.raises(BadLine, match="line 3: payments are imported in test mode only"):
            await own.importer.import_(io.BytesIO(file))
        assert await own.counted() == [0, 0, 0]
