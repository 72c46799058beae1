"""What the engine needs from a store, and what it offers to the API."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

import msgspec

from fastpay._native.cache import Cache, CachedResponse, Entry, Partition
from fastpay._native.signature import Signer
from fastpay.domain.identifiers import HIGHEST, LOWEST, Scope
from fastpay.domain.ledger import Account, Transfer
from fastpay.domain.ledger_rows import LedgerRows
from fastpay.domain.plan import Answer, Book, Command, Draft, Event, Versioned
from fastpay.domain.rules import Rules
from fastpay.domain.search import Query
from fastpay.engine.timing import Timing
from fastpay.observability.traces import Trace


class OperatorAction(msgspec.Struct, frozen=True, gc=False):
    """What an operator of this installation asked for, and of which object: noted in the same commit."""

    operator: str
    action: str
    subject: str


class Submission(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A command with everything that the writer needs to know about its request.

    `fingerprint` is a keyed digest of method, path and parameters. It is set if `idempotency_key` is.
    `is_publishable` says that the API key is not secret. `signed` is a digest, in hexadecimal digits, of what
    a signature covers that does not cover the idempotency key. The first request with it binds the signature
    to its key, or to none. `head` and `tail` make the identifiers (see `IdentifierSequence`). `expand` is
    kept with the answer, so that a replay expands the same. `digest` is that of the idempotency key (see
    `submission_digest`), if it is known already.
    """

    scope: Scope
    command: Command
    request_id: str
    moment_ms: int
    head: int
    tail: bytes
    idempotency_key: str | None = None
    digest: bytes = b""
    fingerprint: bytes = b""
    expand: tuple[str, ...] = ()
    is_publishable: bool = False
    signed: str | None = None
    # When the client stops waiting, on the monotonic clock. A command that is not begun by then is refused.
    deadline_ns: int | None = None
    # If the request is traced: the batch's span links to it.
    trace: Trace | None = None
    # Is told when the stages "queue" and "commit" end, if the client asked for its timing.
    timing: Timing | None = None
    # If an operator asked for it, and no client.
    action: OperatorAction | None = None
    # The digest of an idempotency key with a provisional answer, of which this command has the final one.
    amends: bytes = b""


class Outcome(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What became of a command: the answer, and those objects it shows that are at hand.

    `original_request_id` is set on a replay, and names the first request. `is_signature_spent` says that
    nothing was done, because the signature was used before with another idempotency key, or with none.
    """

    answer: Answer
    objects: Mapping[str, Versioned]
    original_request_id: str | None = None
    is_signature_spent: bool = False


class IdempotencyRow(msgspec.Struct, frozen=True, gc=False):
    """The first answer to an idempotency key, or the binding of a signature (see `signature_key`)."""

    digest: bytes
    scope: Scope
    idempotency_key: str
    fingerprint: bytes
    answer: Answer
    request_id: str
    moment_ms: int


class Commit(msgspec.Struct, frozen=True, gc=False):
    """What was committed for one tenant: the sequence before and after, and the versions between.

    Versions are in the order in which they came about. An object that changed twice has two. `events` are all
    of it, None if they are not known here.
    """

    scope: Scope
    before: int
    after: int
    versions: list[Versioned]
    events: list[Event] | None = None


class Changes(msgspec.Struct):
    """The net effect of the commands of a batch, in the order in which it came about.

    `sequences` is how far the sequence of each tenant comes that is changed. Versions, events, transfers and
    accounts are in the drafts. `rows` are the transfers of each large batch.
    """

    sequences: dict[Scope, int] = {}
    drafts: list[tuple[Submission, Draft]] = []
    idempotency: list[IdempotencyRow] = []
    rows: list[tuple[Scope, LedgerRows]] = []

    def __bool__(self) -> bool:
        """Tell whether there is anything to write."""
        return bool(self.sequences or self.idempotency)

    @property
    def versions(self) -> list[tuple[Scope, Versioned]]:
        """The versions of all drafts, each with its tenant."""
        return [(one.scope, versioned) for one, draft in self.drafts for versioned in draft.versions]

    @property
    def accounts(self) -> dict[tuple[Scope, str], Account]:
        """The accounts that were moved, by tenant and identifier, as the last draft has left them."""
        return {
            (one.scope, account.id): account
            for one, draft in self.drafts
            for account in draft.accounts.values()
        }

    def add(self, submission: Submission, draft: Draft) -> None:
        """Add what a command decided."""
        scope = submission.scope
        self.drafts.append((submission, draft))
        if draft.events:
            # The events' numbers rise by one, and the answer has the last of them.
            self.sequences[scope] = draft.answer.sequence
        if draft.rows is not None:
            self.rows.append((scope, draft.rows))

    def commits(self, found: Mapping[Scope, Book]) -> list[Commit]:
        """Return what a commit changes for each tenant. `found` are the books before the batch."""
        made = {
            scope: Commit(scope, found[scope].sequence, sequence, [], events=[])
            for scope, sequence in self.sequences.items()
        }
        for submission, draft in self.drafts:
            # A draft without an event has no version either.
            if draft.events:
                commit = made[submission.scope]
                commit.versions.extend(draft.versions)
                assert commit.events is not None, "it was made above"
                commit.events.extend(draft.events)
        return list(made.values())


class CommitObserver(Protocol):
    """Is told what this instance has committed."""

    def committed(self, commits: Sequence[Commit]) -> None:
        """Note a batch that is on disk, before its requests are answered. Must neither wait nor raise."""


class Page(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Which part of a list is wanted: newest first, strictly between two bounds.

    `below` and `above` are the 32 digits of identifiers; `ascending` asks for the items nearest above
    `above` (still returned newest first).
    """

    limit: int
    below: str = HIGHEST
    above: str = LOWEST
    ascending: bool = False


class Filter(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Which list is wanted: the prefix of its kind, and the attributes that its objects must have, by name.

    The store has the attributes that each kind can be filtered by; any combination of them is allowed.
    """

    kind: str
    values: tuple[tuple[str, str], ...] = ()


class TrialBalance(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What all accounts of one currency hold together. Debits and credits are equal, always."""

    currency: str
    debits_posted: int
    credits_posted: int
    debits_pending: int
    credits_pending: int


class Verification(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The result of a verification: the trial balances, and the problems found, up to a bound."""

    balances: tuple[TrialBalance, ...]
    problems: tuple[str, ...]


class Profile(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """A tenant in one mode: its name, when it was created, and its money rules."""

    name: str
    created_ms: int
    rules: Rules


class Reading(msgspec.Struct, frozen=True, gc=False):
    """Objects of several tenants as of one moment, and how far each tenant's sequence had come by then.

    `found` has what was found for each wanted identifier, in their order, by its digits alone: the object may
    be of another kind.
    """

    found: Sequence[Versioned | None]
    sequences: Mapping[Scope, int]

    @property
    def objects(self) -> list[Versioned]:
        """Return what was found, in the same order."""
        return [versioned for versioned in self.found if versioned is not None]


class TenantReads(Protocol):
    """What the reader offers as the database does."""

    async def list_each(
        self, scope: Scope, kind: str, field: str, bounds: Sequence[tuple[str, str]], limit: int
    ) -> Sequence[Sequence[Versioned]]:
        """Return a list for each of many objects: the objects that name it in a field, newest first.

        `bounds` are identifiers of the objects, each with the digits that its list begins below. A list has
        `limit` items at most, all of one kind.
        """

    async def search(self, scope: Scope, query: Query, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects that a query finds, newest first.

        Raises: InvalidRequest for a query that takes too much, Overloaded.
        """

    async def verify(self, scope: Scope) -> Verification:
        """Hold counters against transfers and payments against both."""


class ReaderStore(TenantReads, Protocol):
    """The database as the reader sees it. Identifiers of other tenants are simply not there."""

    async def read_latest(self, wanted: Sequence[tuple[Scope, str]]) -> Reading:
        """Return the latest versions of the objects that exist, and the sequences of their tenants."""

    async def read_sequences(self, scopes: Sequence[Scope]) -> Mapping[Scope, int]:
        """Return how far the sequences of these tenants have come."""

    async def get_objects_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> list[Versioned]:
        """Return the objects as they stood at this sequence."""

    async def get_transfers(self, scope: Scope, identifiers: Sequence[str]) -> list[tuple[Transfer, int]]:
        """Return transfers with the moment, in milliseconds, that they were made at."""

    async def list_objects(self, scope: Scope, wanted: Filter, page: Page) -> list[Versioned]:
        """Return up to `page.limit` + 1 objects, newest first. The extra one says that there are more."""

    async def list_accounts(self, scope: Scope) -> list[Account]:
        """Return the scope's accounts that payments move."""

    async def read_profile(self, scope: Scope) -> Profile:
        """Return the tenant's profile."""


class Purged(NamedTuple):
    """How many first answers were deleted, and how many blocks their whole table has."""

    rows: int
    blocks: int


class Reply(Protocol):
    """Whoever waits for the outcome of a submission: a future, or what stands for another instance."""

    def done(self) -> bool:
        """Tell whether there is an outcome already, or nobody waits any more."""

    def set_result(self, outcome: Outcome, /) -> None:
        """Give the outcome. Must not raise."""

    def set_exception(self, error: Exception, /) -> None:
        """Give the error. Must not raise."""


class Writer(Protocol):
    """The write path as the API sees it."""

    def admit(self, scope: Scope) -> None:
        """Raise Overloaded if a plain command of this tenant would be refused now, or wait for too long.

        To be asked once for a request, before it is read.
        """

    async def submit(self, submission: Submission) -> Outcome:
        """Commit a command and return what became of it. A refusal by the domain is an outcome as well.

        If the caller is cancelled meanwhile, the command is carried out all the same.
        Raises: Overloaded, DatabaseUnavailable, WriterStopped, OutcomeUnknown.
        """


class Reader(TenantReads, Protocol):
    """The engine as the floor above sees it: where objects come from. Other tenants' are not there."""

    async def get(self, scope: Scope, identifier: str) -> Versioned | None:
        """Return the latest version of an object."""

    async def get_many(self, scope: Scope, identifiers: Sequence[str]) -> dict[str, Versioned]:
        """Return the latest versions of the objects that exist."""

    async def get_many_at(
        self, scope: Scope, identifiers: Sequence[str], sequence: int
    ) -> dict[str, Versioned]:
        """Return the objects that existed at this sequence, as they stood then."""

    async def transfers(self, scope: Scope, identifiers: Sequence[str]) -> Sequence[tuple[Transfer, int]]:
        """Return transfers with the moment, in milliseconds, that they were made at."""

    async def list(self, scope: Scope, wanted: Filter, page: Page) -> Sequence[Versioned]:
        """Return up to `page.limit` + 1 objects, newest first: the one too many says that there are more."""

    async def accounts(self, scope: Scope) -> Sequence[Account]:
        """Return the scope's accounts that payments move."""

    async def profile(self, scope: Scope) -> Profile:
        """Return the tenant's profile."""

    @property
    def cache(self) -> Cache:
        """Where objects are kept, for who answers from it directly."""

    def partition(self, scope: Scope) -> Partition:
        """Return the cache's partition of a scope."""

    def entry(self, scope: Scope, identifier: str) -> Entry | None:
        """Return the cache's entry of an object that may be shown now."""

    def watch(self, scope: Scope, identifier: str, on_done: Callable[[Versioned | None], None]) -> bool:
        """Have `on_done` called with an object that is read for it, and return True.

        It is called with None where the object is not there or could not be read: `get` tells which. Where
        nothing can be read now, return False.
        """

    def acknowledged(self, scope: Scope, sequence: int) -> None:
        """Show nothing older than this number of the sequence: an answer was given as of it."""

    def rendered(self, scope: Scope, versioned: Versioned, response: CachedResponse) -> None:
        """Keep what was rendered from this version of an object, for as long as it is cached."""


class Credentials(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an API key stands for. `fingerprint_key` is the tenant's own, for keyed digests.

    `key_id` names the key, and is not secret.

    `signers` are the key's signing secrets that are good now, newest first; `must_sign` says that nothing is
    taken that none of them signed.
    """

    scope: Scope
    kind: Literal["secret", "publishable"]
    fingerprint_key: bytes
    signers: tuple[Signer, ...] = ()
    must_sign: bool = False
    key_id: str | None = None

    def __repr__(self) -> str:
        """Show nothing that is secret."""
        return f"Credentials({self.scope!r}, {self.kind!r})"


class KeyRing(Protocol):
    """Where API keys are looked up. `client` is the sender's address."""

    async def authenticate(self, key: str, *, client: str | None = None) -> Credentials | None:
        """Return what a key stands for, or None. Raises: DatabaseUnavailable; RateLimited if not known."""

    def known(self, key: str) -> Credentials | None:
        """Return what the key stands for, as `authenticate` would without a look-up; None if it needs one."""

    def believed_until_ns(self, key: str) -> int:
        """Return until when, by the monotonic clock, a key that was found is good; 0 for none."""
