"""Who of the parked tenants is tried next: pure state, which `lanes.py` acts on."""

from fastpay.domain.identifiers import Scope


class Line:
    """The parked tenants, first in line first.

    Invariant: a tenant is never in two waits, nor in a wait and in the sweep, at once.
    """

    def __init__(self) -> None:
        # In the order in which they wait, and in the order in which they are swept.
        self._waits: dict[Scope, None] = {}
        self._sweeps: dict[Scope, None] = {}
        self._waiting: set[Scope] = set()
        self._swept: set[Scope] = set()

    def __len__(self) -> int:
        """Return how many tenants are parked."""
        return len(self._waits)

    def __contains__(self, scope: object) -> bool:
        """Tell whether this tenant is parked."""
        return scope in self._waits

    @property
    def can_wait(self) -> bool:
        """Whether `begin_wait` would return a tenant."""
        return any(scope not in self._swept and scope not in self._waiting for scope in self._waits)

    @property
    def can_sweep(self) -> bool:
        """Whether `begin_sweep` would return tenants."""
        return not self._swept and any(scope not in self._waiting for scope in self._waits)

    def join(self, scope: Scope) -> None:
        """Add a tenant at the end."""
        self._waits.setdefault(scope)
        self._sweeps.setdefault(scope)

    def leave(self, scope: Scope) -> None:
        """Remove a tenant."""
        del self._waits[scope], self._sweeps[scope]

    def begin_wait(self) -> Scope | None:
        """Return the tenant that is first in line and in no lane. It is the last one from now on."""
        for scope in self._waits:
            if scope not in self._swept and scope not in self._waiting:
                del self._waits[scope]
                self._waits[scope] = None
                self._waiting.add(scope)
                return scope
        return None

    def end_wait(self, scope: Scope) -> None:
        """Note that a tenant does not wait any more."""
        self._waiting.discard(scope)

    def others(self, count: int) -> list[Scope]:
        """Return up to `count` tenants that are in no lane, those first that were tried the longest ago."""
        scopes = [scope for scope in self._sweeps if scope not in self._waiting and scope not in self._swept]
        for scope in scopes[:count]:
            del self._sweeps[scope]
            self._sweeps[scope] = None
        return scopes[:count]

    def begin_sweep(self, count: int) -> list[Scope]:
        """Return what `others` does, and note that these tenants are swept."""
        assert not self._swept
        scopes = self.others(count)
        self._swept = set(scopes)
        return scopes

    def end_sweep(self) -> None:
        """Note that nobody is swept."""
        self._swept = set()
