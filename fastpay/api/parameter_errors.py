"""Errors about parameters: which ones, and what would be right."""

from collections.abc import Collection, Sequence
from typing import Any

from fastpay import limits
from fastpay.api.showing import SECRET_NAMES, path_of, shown
from fastpay.api.suggestions import listed, nearest
from fastpay.domain.kinds import presentable
from fastpay.errors import InvalidRequest


class ParameterError(Exception):
    """A refused parameter. Each caller appends its own name, so the path is innermost first.

    `names` are all parameters that are wrong in the same way beside each other, by `lead`; the path then
    begins with the first of them.
    """

    def __init__(
        self,
        allowed: str,
        *,
        received: Any = None,
        code: str | None = None,
        name: str | None = None,
        lead: str = "",
        names: Sequence[str] = (),
    ) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.received = received
        self.code = code
        self.lead = lead
        self.names = names
        self.path: list[str | int] = [] if name is None else [name]

    def rendered(self, root: str | None = None) -> InvalidRequest:
        """Return the error for the client. `root` is the outermost name of the path."""
        names = [*self.path, root] if root is not None else self.path
        param = path_of(names[::-1])
        message = self.allowed
        if self.received is not None:
            hidden = any(name in SECRET_NAMES for name in names)
            message = f"Received {shown(self.received, hidden=hidden)}. {message}"
        if self.names:
            outer = names[:0:-1]
            first = [presentable(path_of([*outer, name])) for name in self.names[: limits.listed_names_max]]
            count = len(self.names)
            message = f"{self.lead}{'s' if count > 1 else ''}: {listed(first, count)}.{message}"
        return InvalidRequest(message, code=self.code, param=param)


def unknown(names: Sequence[str], known: Collection[str]) -> ParameterError:
    """Return the error for parameters that are not known here. The caller appends the first name."""
    found = [nearest(name, known) for name in names[: limits.listed_names_max]]
    suggested = dict.fromkeys(filter(None, found))
    hint = f" Did you mean {', '.join(suggested)}?" if suggested else ""
    return ParameterError(
        f"{hint} Allowed here: {', '.join(known) or 'none'}.",
        code="parameter_unknown",
        lead="Received unknown parameter",
        names=names,
    )


def absent(names: Sequence[str]) -> ParameterError:
    """Return the error for required parameters that are missing beside each other."""
    lead = "Missing required param"
    return ParameterError("", code="parameter_missing", name=names[0], lead=lead, names=names)
