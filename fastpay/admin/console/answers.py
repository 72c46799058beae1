"""What the console answers with: a page, or a response that is none."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import NamedTuple, TypeAlias

ROOT = "/console/"


class Answer(NamedTuple):
    """An HTTP response. `kind` is its Content-Type; `more` yields what follows the body."""

    status: int
    body: bytes
    kind: str = "text/plain"
    headers: tuple[tuple[str, str], ...] = ()
    more: AsyncIterator[bytes] | None = None


class Shown(NamedTuple):
    """A page: a template and its values."""

    status: int
    template: str
    values: Mapping[str, object]
    headers: tuple[tuple[str, str], ...] = ()


View: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Answer | Shown]]


def moved(path: str, *headers: tuple[str, str]) -> Answer:
    """Return a redirect that is followed with a GET."""
    return Answer(303, b"", headers=(("location", path), *headers))


def missing(message: str, back: str) -> Shown:
    """Return the page that says what there is not, with a way back."""
    return Shown(404, "notice.html", {"message": message, "back": back})


def is_tenant(text: str) -> bool:
    """Tell whether a text could be the identifier of a tenant."""
    return len(text) == 32 and not set(text) - set("0123456789abcdef")
