"""Finds what operators look for: an object by its identifier, or payments by what people know of them."""

import asyncio
import re
import uuid
from collections.abc import Sequence

from fastpay import limits
from fastpay.admin.console.ports import Found, Hit, Hits, Tenant
from fastpay.api.app import RESOURCES
from fastpay.api.search import parse
from fastpay.domain.identifiers import Scope, is_well_formed, prefix_of
from fastpay.domain.kinds import BALANCE_TRANSACTION, EVENT, KINDS
from fastpay.domain.money import CURRENCIES, read_amount
from fastpay.domain.objects import Charge, Customer, PaymentIntent, StoredObject
from fastpay.domain.webhook_endpoints import WebhookEndpoint
from fastpay.engine.ports import Page
from fastpay.store.histories import PostgresHistories
from fastpay.store.reads import PostgresReads

_TENANT = re.compile(r"[0-9a-f]{32}", re.ASCII)
_KEY = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_REQUEST = re.compile(r"req_[0-9a-f]{24}", re.ASCII)
# A transfer of payments: balance transactions are a view of them.
_POSTING = re.compile(rf"(?:tr|{BALANCE_TRANSACTION.prefix})_[0-9a-f]{{32}}", re.ASCII)

_LAST4 = re.compile(r"[0-9]{4}", re.ASCII)
_EMAIL = re.compile(r"[^\s\"\\@]+@[^\s\"\\@]+")
_AMOUNT = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,3})?) ?([A-Za-z]{3})", re.ASCII)
_PLAIN_AMOUNT = re.compile(r"([0-9]{1,10})\.([0-9]{2})", re.ASCII)


class Locations:
    """Finds the page of an identifier, among those of all tenants."""

    def __init__(self, histories: PostgresHistories) -> None:
        self._histories = histories

    async def find(self, text: str) -> Found | None:
        """Return the page, None if nothing has this identifier."""
        if _REQUEST.fullmatch(text):
            scope = await self._histories.locate_request(text)
            return None if scope is None else Found("requests", *scope, text)
        if _KEY.fullmatch(text):
            scope = await self._histories.locate_key(uuid.UUID(text))
            return None if scope is None else Found("keys", *scope, text)
        if _TENANT.fullmatch(text):
            return Found("settings", text, False, "")
        return await self._find_object(text)

    async def _find_object(self, text: str) -> Found | None:
        prefix, wanted = prefix_of(text), text
        if is_well_formed(text, EVENT.prefix):
            about = await self._histories.locate_event(text)
            if about is None:
                return None
            # Behind any prefix: the digits alone name the object.
            wanted = f"{PaymentIntent.prefix}_{about[1]}"
        elif prefix not in KINDS or not is_well_formed(text, prefix):
            return None
        located = await self._histories.locate(wanted)
        if located is None and _POSTING.fullmatch(text):
            source = await self._histories.locate_transfer(text)
            return None if source is None else await self._find_object(source)
        # Digits of one kind behind the prefix of another name nothing.
        if located is None or (wanted == text and located.versioned.object.id != text):
            return None
        return _page_of(located.scope, located.versioned.object)


class Searches:
    """Searches payments by a customer, an email address, a card, an amount, or a query of the API."""

    def __init__(self, reads: PostgresReads) -> None:
        self._reads = reads

    async def search(self, scope: Scope, text: str) -> list[dict[str, object]]:
        """Return payments of a tenant, newest first. Raises: InvalidRequest."""
        if _LAST4.fullmatch(text):
            found = await self._of_cards(scope, text)
        elif _EMAIL.fullmatch(text):
            found = await self._of_email(scope, text)
        else:
            found = await self._find(scope, _query_of(text), PaymentIntent.prefix)
        return [RESOURCES.render(stored, scope.livemode) for stored in found]

    async def search_everywhere(self, tenants: Sequence[Tenant], text: str) -> Hits:
        """Return the payments of all tenants in both modes, up to a number of tenants and a time.

        Raises: InvalidRequest.
        """
        _ = parse(_query_of(text), KINDS[PaymentIntent.prefix]) if not _is_word(text) else None
        loop = asyncio.get_running_loop()
        until, searched, hits = loop.time() + limits.console_search_ms / 1000, 0, list[Hit]()
        for tenant in tenants[: limits.console_search_tenants_max]:
            if loop.time() > until or len(hits) >= limits.console_rows_max:
                break
            for livemode in (True, False):
                payments = await self.search(Scope(tenant.tenant_id, livemode), text)
                hits += [Hit(tenant.tenant_id, tenant.name, livemode, payment) for payment in payments]
            searched += 1
        hits.sort(key=lambda hit: str(hit.payment["id"])[-32:], reverse=True)
        return Hits(hits[: limits.console_rows_max], searched, len(tenants))

    async def _of_cards(self, scope: Scope, last4: str) -> list[StoredObject]:
        query = f'payment_method_details.card.last4:"{last4}"'
        charges = await self._find(scope, query, Charge.prefix)
        wanted = dict.fromkeys(charge.payment_intent for charge in charges if isinstance(charge, Charge))
        reading = await self._reads.read_latest([(scope, identifier) for identifier in wanted])
        found = {versioned.object.id: versioned.object for versioned in reading.objects}
        return [found[identifier] for identifier in wanted if identifier in found]

    async def _of_email(self, scope: Scope, email: str) -> list[StoredObject]:
        customers = await self._find(scope, f'email:"{email}"', Customer.prefix)
        found: list[StoredObject] = []
        for customer in customers[: limits.search_clauses_max]:
            found += await self._find(scope, f'customer:"{customer.id}"', PaymentIntent.prefix)
        return found[: limits.console_rows_max]

    async def _find(self, scope: Scope, query: str, prefix: str) -> list[StoredObject]:
        page = Page(limit=limits.console_rows_max)
        found = await self._reads.search(scope, parse(query, KINDS[prefix]), page)
        return [versioned.object for versioned in found[: limits.console_rows_max]]


def _page_of(scope: Scope, stored: StoredObject) -> Found:
    """Return the page of an object: its payment's, if it has one."""
    payment = stored.id if isinstance(stored, PaymentIntent) else getattr(stored, "payment_intent", None)
    if payment is not None:
        return Found("payments", *scope, payment)
    if isinstance(stored, WebhookEndpoint):
        return Found("endpoints", *scope, stored.id)
    # Of a customer, the payments.
    return Found("tenants" if isinstance(stored, Customer) else "objects", *scope, stored.id)


def _is_word(text: str) -> bool:
    return _LAST4.fullmatch(text) is not None or _EMAIL.fullmatch(text) is not None


def _query_of(text: str) -> str:
    """Return the query of the API's search that people mean, or what they typed if it is one itself.

    Raises: InvalidRequest for an amount that its currency does not have.
    """
    if is_well_formed(text, Customer.prefix):
        return f'customer:"{text}"'
    plain, named = _PLAIN_AMOUNT.fullmatch(text), _AMOUNT.fullmatch(text)
    if named is not None and named[2].lower() in CURRENCIES:
        currency = named[2].lower()
        return f'amount:{read_amount(named[1], currency)} AND currency:"{currency}"'
    return text if plain is None else f"amount:{plain[1]}{plain[2]}"
