"""What the console asks of other floors."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec


class ProcessState(NamedTuple):
    """What is known of the process, without waiting for anything.

    `dependencies` and `pools` have the state of each, `counts` what was counted since the start.
    """

    dependencies: Callable[[], Mapping[str, Mapping[str, object]]]
    pools: Callable[[], Mapping[str, Mapping[str, int]]]
    counts: Callable[[], Mapping[str, int]]


class Operator(msgspec.Struct, frozen=True):
    """Who is signed in. `role` is view, operate or admin; `is_proved` if it was shown a short while ago."""

    operator_id: uuid.UUID
    name: str
    role: str
    is_proved: bool = False


class Credentials(msgspec.Struct, frozen=True):
    """What a sign-in is compared with. `last_step` is the time step of the last code that was used."""

    operator: Operator
    password_hash: str
    secret: bytes
    last_step: int
    is_locked: bool


class NewCredentials(msgspec.Struct, frozen=True):
    """What an operator has chosen, with the first session. `step` is the time step of the code."""

    password_hash: str
    secret: bytes
    step: int
    session: bytes
    agent: str


class Action(msgspec.Struct, frozen=True):
    """Something that an operator did, or was refused; `detail` says what was changed, or why not.

    `moment_ms` is since 1970.
    """

    action_id: int
    moment_ms: int
    operator: str
    action: str
    subject: str
    detail: str | None
    request_id: str | None

    @property
    def is_refused(self) -> bool:
        """Whether nothing was done."""
        # Older notes end in `.refused`.
        return self.action.endswith(("_refused", ".refused"))


class OperatorStore(Protocol):
    """Operators, their sessions, and what they did. Tokens are stored as SHA-256 digests.

    Each method is one commit, the action that it notes included. All raise DatabaseUnavailable, Overloaded.
    """

    async def invited(self, digest: bytes) -> Operator | None:
        """Return whose invitation this is, while it is good."""

    async def accept(self, invitation: bytes, operator: Operator, made: NewCredentials) -> bool:
        """Use an invitation, and begin a session. Return whether it was still good."""

    async def find(self, name: str) -> Credentials | None:
        """Return what a sign-in is compared with. Raises: FastpayError if the secret cannot be opened."""

    async def sign_in(self, operator_id: uuid.UUID, step: int, session: bytes, agent: str) -> bool:
        """Begin a session. Return False if the code was used before, or the operator is locked."""

    async def sign_in_failed(self, operator_id: uuid.UUID) -> None:
        """Count a wrong password or code. Several in a row lock the operator for a while."""

    async def session(self, digest: bytes) -> Operator | None:
        """Return the operator of a session."""

    async def sign_out(self, digest: bytes, *, everywhere: bool) -> None:
        """End a session, or all of its operator's."""

    async def note(
        self,
        operator: Operator,
        action: str,
        subject: str,
        *,
        tenant_id: str | None = None,
        detail: str | None = None,
    ) -> None:
        """Note what an operator did, where nothing else is written."""

    async def actions(self, subject: str, rows_max: int) -> list[Action]:
        """Return the latest actions on one subject, newest first."""


class Found(msgspec.Struct, frozen=True):
    """The page of something that was looked for: a folder of the console, and the name in it."""

    folder: str
    tenant_id: str
    livemode: bool
    name: str


class Hit(msgspec.Struct, frozen=True):
    """A payment that a search has found, as the API shows it, and whose it is."""

    tenant_id: str
    tenant: str
    livemode: bool
    payment: Mapping[str, object]


class Hits(msgspec.Struct, frozen=True):
    """What a search over all tenants has found. Of so many tenants, the first `searched` were asked."""

    hits: Sequence[Hit]
    searched: int
    tenants: int


class Change(msgspec.Struct, frozen=True):
    """A version of an object, as the API shows it. `sequence` is the tenant's, of the commit's last event."""

    identifier: str
    noun: str
    version: int
    sequence: int
    shown: dict[str, object]


class Occurrence(msgspec.Struct, frozen=True):
    """An event. `request_id` is empty if no request caused it."""

    sequence: int
    event_id: str
    type: str
    object_id: str
    request_id: str
    moment_ms: int


class Posting(msgspec.Struct, frozen=True):
    """A transfer between two accounts, named by their codes. Amounts are in the smallest unit.

    `debit_after` and `credit_after` are the balances of the two after it. They are None if so much was moved
    since that to add it up would take too long.
    """

    transfer_id: str
    kind: str
    phase: str
    debit: str
    credit: str
    currency: str
    amount: int
    moment_ms: int
    debit_after: int | None = None
    credit_after: int | None = None


class Delivery(msgspec.Struct, frozen=True):
    """An attempt to deliver an event. `outcome` is the status of the answer, or why there was none."""

    event_id: str
    endpoint_id: str
    number: int
    outcome: str
    latency_ms: int


class Request(msgspec.Struct, frozen=True):
    """A request of the request log. `original_request_id` is set on a replay, `error` on a refusal."""

    request_id: str
    moment_ms: int
    duration_ms: float
    method: str
    path: str
    status: int
    original_request_id: str
    error: str


class History(msgspec.Struct, frozen=True):
    """All that is known of a payment, or of another object."""

    tenant: str
    livemode: bool
    changes: Sequence[Change]
    occurrences: Sequence[Occurrence]
    postings: Sequence[Posting]
    deliveries: Sequence[Delivery]
    requests: Sequence[Request] = ()

    @property
    def seen(self) -> str:
        """What a page has seen of it: it changes with every change of an object."""
        return str(max((change.sequence for change in self.changes), default=0))


class Tenant(msgspec.Struct, frozen=True):
    """A tenant."""

    tenant_id: str
    name: str


class Order(msgspec.Struct, frozen=True):
    """What an operator asks for with a form: an action on a subject of one folder of the console.

    `tenant_id` is empty for a tenant that is to be made. `key` is that of the form, so that a form that is
    sent twice is carried out once.
    """

    folder: str
    tenant_id: str
    livemode: bool
    subject: str
    action: str
    fields: Mapping[str, str]
    key: str

    @property
    def refusal(self) -> str:
        """What the audit trail calls it if it is refused."""
        return refusal_of(self.folder, self.action)


def refusal_of(folder: str, action: str) -> str:
    """Return what the audit trail calls an action that was refused: `payment.capture_refused`.

    What was done has a participle instead: `payment.captured`.
    """
    return f"{folder.removesuffix('s')}.{action.replace('-', '_')}_refused"


class Done(msgspec.Struct, frozen=True):
    """What came of an order. `secret` is shown this once, as `label`. `path` is where to go, if elsewhere."""

    path: str = ""
    label: str = ""
    secret: str = ""


class Desk(Protocol):
    """Carries out what operators ask for."""

    async def carry_out(self, operator: Operator, order: Order) -> Done:
        """Commit it together with the note of it. Raises: FastpayError, whose message is for the operator."""


class HistoryStore(Protocol):
    """What the pages show. All raise DatabaseUnavailable, Overloaded."""

    async def locate(self, text: str) -> Found | None:
        """Find the page of an identifier, whoever's it is."""

    async def history(
        self, tenant_id: str, livemode: bool, identifier: str, *, thorough: bool = False
    ) -> History | None:
        """Return all that is known of a payment, or of another object; None if there is no such object.

        A `thorough` one has balances however much was moved since. Raises: RateLimited then, too.
        """

    async def tenants(self) -> list[Tenant]:
        """Return all tenants, in the order of their names."""

    async def search(self, tenant_id: str, livemode: bool, text: str) -> list[dict[str, object]]:
        """Return payments of a customer, an email address, a card, an amount, or that match a query.

        The newest come first, as the API shows them. Raises: InvalidRequest for a query that cannot be read.
        """

    async def search_everywhere(self, text: str) -> Hits:
        """Return the payments of all tenants in both modes. Raises: InvalidRequest."""
