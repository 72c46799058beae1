"""Who of the parked tenants is tried next: pure state, which `lanes.py` acts on."""

from fastpay.domain.identifiers import Scope


class Line:
    """The parked tenants, first in line first.

    Invariant: a tenant is never in the wait and in the sweep at once.
    """

    def __init__(self) -> None:
        # In the order in which they wait, and in the order in which they are swept.
        self._waits: dict[Scope, None] = {}
        self._sweeps: dict[Scope, None] = {}
        self._waiting: Scope | None = None
        self._swept: set[Scope] = set()

    def __bool__(self) -> bool:
        """Tell whether a tenant is parked."""
        return bool(self._waits)

    @property
    def can_wait(self) -> bool:
        """Whether `begin_wait` would return a tenant."""
        return self._waiting is None and any(scope not in self._swept for scope in self._waits)

    @property
    def can_sweep(self) -> bool:
        """Whether `begin_sweep` would return tenants."""
        return not self._swept and any(scope != self._waiting for scope in self._waits)

    def join(self, scope: Scope) -> None:
        """Add a tenant at the end."""
        self._waits.setdefault(scope)
        self._sweeps.setdefault(scope)

    def leave(self, scope: Scope) -> None:
        """Remove a tenant."""
        del self._waits[scope], self._sweeps[scope]

    def begin_wait(self) -> Scope | None:
        """Return the tenant that is first in line and not being swept. It is the last one from now on."""
        assert self._waiting is None
        scope = next((scope for scope in self._waits if scope not in self._swept), None)
        if scope is not None:
            del self._waits[scope]
            self._waits[scope] = None
        self._waiting = scope
        return scope

    def end_wait(self) -> None:
        """Note that nobody waits."""
        self._waiting = None

    def begin_sweep(self, count: int) -> list[Scope]:
        """Return up to `count` tenants that do not wait, those first that were swept the longest ago."""
        assert not self._swept
        scopes = [scope for scope in self._sweeps if scope != self._waiting][:count]
        for scope in scopes:
            del self._sweeps[scope]
            self._sweeps[scope] = None
        self._swept = set(scopes)
        return scopes

    def end_sweep(self) -> None:
        """Note that nobody is swept."""
        self._swept = set()
