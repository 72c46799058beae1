"""How a batch can fail. The store translates errors of the driver into these."""

from typing import Literal

# contention: a conflict with another transaction. The others are states of the whole database.
FailureKind = Literal["contention", "unreachable", "disk full", "read-only"]


class BatchFailure(Exception):
    """The batch was not committed, or is not known to be."""


class TransientFailure(BatchFailure):
    """Nothing was committed, and a retry may succeed. `reason` is for the log."""

    def __init__(self, sqlstate: str, *, kind: FailureKind = "unreachable", reason: str = "") -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate
        self.kind = kind
        self.reason = reason or f"SQLSTATE {sqlstate}"


class RefusedBatch(BatchFailure):
    """The database refused a statement, or our own code failed: nothing was committed.

    A retry of the same would fail again. Carries the SQLSTATE, XX000 for a fault of our own.
    """

    def __init__(self, sqlstate: str, constraint: str | None) -> None:
        super().__init__(f"{sqlstate} {constraint or ''}".strip())
        self.sqlstate = sqlstate
        self.constraint = constraint


class OutdatedBatch(BatchFailure):
    """A book has changed since the batch was decided: nothing was committed."""


class WrongMoment(BatchFailure):
    """The time of a command differs too much from the database's: nothing was committed."""


class UnknownOutcome(BatchFailure):
    """The connection was lost while the batch may be committed, and the outcome could not be looked up."""
