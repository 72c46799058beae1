"""The headers of a request as text, for `api/endpoints.py`."""

from collections.abc import Iterable, Iterator, Mapping

from fastpay._native.sampling import Sampler

# Headers that checks of their own look at. Few requests have one.
SPECIAL: tuple[bytes, ...]

class Headers(Mapping[str, str]):
    """The values by name, in lower case, each byte as one character (RFC 9110 5.5).

    Nothing is decoded before it is asked for.
    """

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep the pairs, of which no two have the same name. Raises: TypeError for what is not bytes."""

    @property
    def is_special(self) -> bool:
        """Whether one of the headers is in `SPECIAL`, or Stripe-Version is not plainly a version.

        A plain version is a date with at most the name of a release behind it.
        """

    def bearer_token(self) -> str | None:
        """Return what follows `Bearer ` in the Authorization header, None if it begins in another way."""

    def content_length(self) -> int:
        """Return the announced size of the body, 0 for none. More than 18 digits are a large number."""

    def plain_key(self) -> str | None:
        """Return the idempotency key, None if there is none or `is_plain_key` says no."""

    def is_drawn(self, sampler: Sampler, now_ns: int) -> bool:
        """Draw the request by its traceparent, if it has one."""

    def plain_echoes(self, is_safe: bool) -> list[tuple[bytes, bytes]] | None:
        """Return the headers that the answer repeats: the version and, unless the method `is_safe`, the key.

        Return None if one of them is not plain, and so has to be looked at with more care.
        """

    def __getitem__(self, name: str) -> str:
        """Return a value. Raises: KeyError."""

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names."""

    def __len__(self) -> int:
        """Return how many there are."""

def decode(pairs: Iterable[tuple[bytes, bytes]]) -> Headers | None:
    """Return the headers, None if a name occurs twice: the meaning of that depends on the name."""

def is_plain_key(header: str) -> bool:
    """Return whether an Idempotency-Key header is a key as it stands, and holds no card number.

    False for keys with spaces or quotes, and for those in which `digit_runs` sees a possible number: these
    are looked at with more care.
    """
