"""The ports of the floor below, in memory over the pure domain: one command is one commit."""

import asyncio
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import httpx

from fastpay._native import cache
from fastpay._native.identifiers import IdentifierSequence
from fastpay.api.app import RESOURCES, create_app
from fastpay.api.context import Services, Settings
from fastpay.domain.identifiers import Scope, digits, prefix_of
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.objects import Customer
from fastpay.domain.plan import Answer, Book, Draft, Versioned, Workspace, record
from fastpay.domain.rules import Rules
from fastpay.domain.search import Query, matches
from fastpay.engine.challenge_ports import Challenge
from fastpay.engine.dependencies import Readiness
from fastpay.engine.feeds import Feeds
from fastpay.engine.identity import IdentifierFactory
from fastpay.engine.ledger_ports import Entry, EntryPage, PaidOut
from fastpay.engine.ports import Filter, Outcome, Page, Profile, Submission, Verification
from fastpay.engine.write.idempotency import signature_digest, submission_digest
from fastpay.errors import FastpayError, IdempotencyMismatch
from tests.unit.api.fake_events import FakeEvents
from tests.unit.api.fake_keys import FakeKeys

SECRET = "sk_test_aaaaaaaaaaaaaaaa"
PUBLISHABLE = "pk_test_aaaaaaaaaaaaaaaa"
LIVE = "sk_live_aaaaaaaaaaaaaaaa"
FUNDING = "funding_type=bank_transfer&currency=usd&bank_transfer[type]=us_bank_transfer"
OTHER = "sk_test_bbbbbbbbbbbbbbbb"
NOW_MS = 1_790_000_000_000


class FakeClock:
    """A clock that stands still until it is moved, and chance that can be foretold."""

    def __init__(self) -> None:
        self.moment_ms = NOW_MS
        self._drawn = 0

    def now_ms(self) -> int:
        return self.moment_ms

    def monotonic_ns(self) -> int:
        return self.moment_ms * 1_000_000

    def random_bytes(self, count: int) -> bytes:
        self._drawn += 1
        return hashlib.blake2b(self._drawn.to_bytes(8, "big"), digest_size=count).digest()


class FakeChallenges:
    """Tokens that are numbers."""

    def __init__(self) -> None:
        self.sealed: dict[str, Challenge] = {}

    def seal(self, challenge: Challenge) -> str:
        token = f"token{len(self.sealed)}"
        self.sealed[token] = challenge
        return token

    def open(self, token: str) -> Challenge | None:
        return self.sealed.get(token)


class FakeEngine:
    """Writer and reader over one memory."""

    def __init__(self) -> None:
        self.cache = cache.Cache(0)
        self.submissions: list[Submission] = []
        self.searches: list[Query] = []
        # How often the lists of many objects were read.
        self.lists_read = 0
        self.failure: Exception | None = None
        self.overloaded: Exception | None = None
        self._workspaces: dict[Scope, Workspace] = {}
        self._history: dict[tuple[Scope, str], list[Versioned]] = {}
        self.events = FakeEvents(self._history)
        self._transfers: dict[tuple[Scope, str], tuple[Transfer, int]] = {}
        self._bound: dict[bytes, bytes] = {}
        self._answered: dict[bytes, tuple[Submission, Answer]] = {}

    def admit(self, scope: Scope) -> None:
        """Admit everybody. Raises what `overloaded` holds."""
        if self.overloaded is not None:
            raise self.overloaded

    async def submit(self, submission: Submission) -> Outcome:
        if self.failure is not None:
            raise self.failure
        self.submissions.append(submission)
        digest, signature = submission.digest or submission_digest(submission), signature_digest(submission)
        if signature and self._bound.setdefault(signature, digest) != digest:
            return Outcome(answer=Answer(None, 0), objects={}, is_signature_spent=True)
        if signature and not digest:
            # Bound to no key, and so used up.
            self._bound[signature] = b"spent"
        if digest and digest in self._answered:
            first, answer = self._answered[digest]
            if first.fingerprint != submission.fingerprint:
                mismatch = IdempotencyMismatch("Another request had this key.")
                return Outcome(answer=Answer(None, answer.sequence, error=record(mismatch)), objects={})
            return Outcome(answer=answer, objects={}, original_request_id=first.request_id)
        answer, versions = self._execute(submission)
        if digest:
            self._answered[digest] = (submission, answer)
        return Outcome(answer=answer, objects={version.object.id: version for version in versions})

    def _execute(self, submission: Submission) -> tuple[Answer, Sequence[Versioned]]:
        scope = submission.scope
        workspace = self._workspaces.setdefault(scope, Workspace(Book(scope, 0, Rules(290, 30))))
        workspace.asked.update(map(_well_formed, submission.command.needs(workspace)))
        identifiers = IdentifierSequence(submission.head, submission.tail)
        draft = Draft(workspace, moment_s=submission.moment_ms // 1000, identifiers=identifiers)
        try:
            draft.finish(submission.command.execute(workspace, draft), submission.expand)
        except FastpayError as error:
            return Answer(None, workspace.sequence, error=record(error)), ()
        workspace.merge(draft)
        for version in draft.versions:
            self._history.setdefault((scope, version.object.id), []).append(version)
        self.events.record(submission, draft)
        for transfer in draft.transfers:
            self._transfers[scope, transfer.id] = (transfer, submission.moment_ms)
        return draft.answer, draft.versions

    async def get(self, scope: Scope, identifier: str) -> Versioned | None:
        return (await self.get_many(scope, (identifier,))).get(identifier)

    async def get_many(self, scope: Scope, identifiers: Sequence[str]) -> dict[str, Versioned]:
        return {
            wanted: self._history[scope, wanted][-1]
            for wanted in map(_well_formed, identifiers)
            if (scope, wanted) in self._history
        }

    async def get_many_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> dict[str, Versioned]:
        found = {}
        for wanted in identifiers:
            for version in self._history.get((scope, wanted), ()):
                if version.sequence <= sequence:
                    found[wanted] = version
        return found

    async def transfers(self, scope: Scope, identifiers: Sequence[str]) -> Sequence[tuple[Transfer, int]]:
        return [
            self._transfers[scope, wanted] for wanted in identifiers if (scope, wanted) in self._transfers
        ]

    async def balance_transfers(
        self, scope: Scope, page: Page, kinds: Sequence[str], currency: str | None
    ) -> Sequence[tuple[Transfer, int]]:
        """Return none: tests of the list ask a database."""
        return []

    async def payout_transfers(
        self, scope: Scope, paid_out: PaidOut, page: Page, kinds: Sequence[str]
    ) -> Sequence[tuple[Transfer, int, int]]:
        """Return none: tests of the list ask a database."""
        return []

    async def list(self, scope: Scope, wanted: Filter, page: Page) -> Sequence[Versioned]:
        def passes(version: Versioned) -> bool:
            return all(getattr(version.object, name) == value for name, value in wanted.values)

        return self._page(scope, wanted.kind, page, passes)

    async def list_each(
        self, scope: Scope, kind: str, field: str, bounds: Sequence[tuple[str, str]], limit: int
    ) -> Sequence[Sequence[Versioned]]:
        self.lists_read += 1
        lists = []
        for owner, below in bounds:
            page = Page(limit=limit, below=below)
            lists.append((await self.list(scope, Filter(kind=kind, values=((field, owner),)), page))[:limit])
        return lists

    async def search(self, scope: Scope, query: Query, page: Page) -> Sequence[Versioned]:
        self.searches.append(query)
        return self._page(scope, query.kind, page, lambda version: matches(query, version.object))

    async def accounts(self, scope: Scope) -> Sequence[Account]:
        workspace = self._workspaces.get(scope)
        return () if workspace is None else tuple(workspace.accounts.values())

    async def balances(
        self, scope: Scope, identifiers: Sequence[str], sequence: int | None
    ) -> Sequence[Account]:
        """Return the accounts as they stand: there is no history here."""
        accounts = self._workspaces[scope].accounts if scope in self._workspaces else {}
        return [accounts[identifier] for identifier in identifiers if identifier in accounts]

    async def entries(self, scope: Scope, account: Account, page: EntryPage) -> Sequence[Entry]:
        """Return none: there is no history here."""
        return ()

    async def sequence_at(self, scope: Scope, moment_ms: int) -> int:
        """Return the latest place."""
        return self._workspaces[scope].sequence

    async def profile(self, scope: Scope) -> Profile:
        """Return that of a tenant which pays fees."""
        return Profile(name="shop", created_ms=1_700_000_000_000, rules=Rules(290, 30))

    async def verify(self, scope: Scope) -> Verification:
        """Find nothing wrong."""
        return Verification(balances=(), problems=())

    def partition(self, scope: Scope) -> cache.Partition:
        """Return a partition that stays empty."""
        return self.cache.partition(scope)

    def watch(self, scope: Scope, identifier: str, on_done: Callable[[Versioned | None], None]) -> bool:
        """Read nothing for anybody who does not wait for it himself."""
        return False

    def entry(self, scope: Scope, identifier: str) -> cache.Entry | None:
        """Return nothing."""
        return None

    def acknowledged(self, scope: Scope, sequence: int) -> None:
        """Keep nothing that could be too old."""

    def rendered(self, scope: Scope, versioned: Versioned, response: cache.CachedResponse) -> None:
        """Keep nothing."""

    def transfer_ids(self) -> Sequence[str]:
        """Return the identifiers of all transfers."""
        return [identifier for _, identifier in self._transfers]

    def _page(
        self, scope: Scope, kind: str, page: Page, passes: Callable[[Versioned], bool]
    ) -> Sequence[Versioned]:
        rows = [
            versions[-1]
            for (owner, identifier), versions in self._history.items()
            if owner == scope
            and prefix_of(identifier) == kind
            and page.above < digits(identifier) < page.below
            and not (isinstance(versions[-1].object, Customer) and versions[-1].object.deleted)
            and passes(versions[-1])
        ]
        rows.sort(key=lambda version: digits(version.object.id), reverse=not page.ascending)
        rows = rows[: page.limit + 1]
        return rows[::-1] if page.ascending else rows


def _well_formed(identifier: str) -> str:
    """Refuse what a database would refuse as well: it holds identifiers as UUIDs."""
    assert bytes.fromhex(digits(identifier)), identifier
    assert len(digits(identifier)) == 32
    return identifier


class Api:
    """The application with its fakes, driven through ASGI."""

    def __init__(
        self, *, body_bytes_max: int = 65_536, public_url: str | None = None, **services: Any
    ) -> None:
        self.clock = FakeClock()
        self.engine = FakeEngine()
        self.identifiers = IdentifierFactory(self.clock)
        self.readiness = Readiness()
        self.readiness.require(self.identifiers.fault)
        self.services = Services(
            writer=self.engine,
            reader=self.engine,
            ledger=self.engine,
            events=self.engine.events,
            feeds=Feeds(self.engine.events.read_sequences, clock=self.clock),
            keys=FakeKeys(),
            challenges=FakeChallenges(),
            clock=self.clock,
            identifiers=self.identifiers,
            readiness=self.readiness,
            resources=RESOURCES,
            settings=Settings(body_bytes_max=body_bytes_max, public_url=public_url),
            **services,
        )
        self.app = create_app(self.services)

    def send(
        self,
        method: str,
        path: str,
        form: str | bytes | None = None,
        *,
        key: str | None = SECRET,
        headers: Mapping[str, str] | None = None,
        **sent: Any,  # what httpx.AsyncClient.request takes
    ) -> httpx.Response:
        """Send one request; `form` is a body with its content type."""
        all_headers = {} if key is None else {"authorization": f"Bearer {key}"}
        if form is not None:
            all_headers["content-type"] = "application/x-www-form-urlencoded"
            sent["content"] = form
        all_headers.update(headers or {})

        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://fastpay") as client:
                return await client.request(method, path, headers=all_headers, **sent)

        return asyncio.run(exchange())

    def post(self, path: str, form: str = "", **sent: Any) -> dict[str, Any]:
        """Send a form that must go well, and return the answer."""
        return _success(self.send("POST", path, form, **sent))

    def get(self, path: str, **sent: Any) -> dict[str, Any]:
        """Ask for something that must be there, and return the answer."""
        return _success(self.send("GET", path, **sent))

    def refused(self, method: str, path: str, form: str | bytes | None = None, **sent: Any) -> dict[str, Any]:
        """Send what must be refused, and return the status with the error."""
        response = self.send(method, path, form, **sent)
        return {"status": response.status_code, **error_of(response)}

    def pay(self, form: str = "", **sent: Any) -> dict[str, Any]:
        """Make a payment that succeeds."""
        parts = ("amount=2000&currency=usd&payment_method=pm_card_visa&confirm=true", form)
        return self.post("/v1/payment_intents", "&".join(filter(None, parts)), **sent)

    def furnish_ledger(self) -> dict[str, str]:
        """Open two accounts, hold something between them, and make a batch; return one of each kind."""
        sides = [
            self.post("/v1/ledger/accounts", "code=wallet&currency=usd&normal_side=credit")["id"]
            for _ in "ab"
        ]
        form = f"debit_account={sides[0]}&credit_account={sides[1]}&amount=5&hold=true"
        item = {"debit_account": sides[0], "credit_account": sides[1], "amount": "5"}
        batch = "&".join(f"transfers[0][{name}]={value}" for name, value in item.items())
        return {
            "accounts": sides[0],
            "transfers": self.post("/v1/ledger/transfers", form)["id"],
            "batches": self.post("/v1/ledger/batches", batch)["id"],
        }


def error_of(response: httpx.Response) -> dict[str, Any]:
    """Return the error of an answer that is one, in the dialect's shape and nothing beside it."""
    assert response.status_code >= 400
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert list(body) == ["error"]
    error: dict[str, Any] = body["error"]
    assert error["type"]
    assert error["message"]
    return error


def _success(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code == 200, response.text
    body: dict[str, Any] = json.loads(response.content)
    return body
