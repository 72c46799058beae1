"""How a batch can fail, in the engine's own words."""

from typing import Literal

# contention: another transaction was in the way. The others say what the database, as a whole, cannot do now.
FailureKind = Literal["contention", "unreachable", "disk full", "read-only"]


class BatchFailure(Exception):
    """Why a batch was not committed, or is not known to be."""


class TransientFailure(BatchFailure):
    """Nothing was committed, and trying again may help. `reason` is for the log."""

    def __init__(self, sqlstate: str, *, kind: FailureKind = "unreachable", reason: str = "") -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate
        self.kind = kind
        self.reason = reason or f"SQLSTATE {sqlstate}"


class RefusedBatch(BatchFailure):
    """The database refused a statement, or our own code failed: nothing was committed.

    Trying the same again would not help. Carries the SQLSTATE, XX000 for a fault of our own.
    """

    def __init__(self, sqlstate: str, constraint: str | None) -> None:
        super().__init__(f"{sqlstate} {constraint or ''}".strip())
        self.sqlstate = sqlstate
        self.constraint = constraint


class OutdatedBatch(BatchFailure):
    """A book does not stand as it did when the batch was decided: nothing was committed."""


class WrongMoment(BatchFailure):
    """A command carries a moment that is not the database's time: nothing was committed."""


class UnknownOutcome(BatchFailure):
    """The connection was lost after COMMIT was sent, and nobody could be asked what became of it."""
