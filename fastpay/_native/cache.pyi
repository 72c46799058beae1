"""The process's own cache: the objects of each tenant, and the answers that were rendered from them."""

class CachedResponse:
    """An answer as it is sent: its path, its own header lines and its body.

    `path` is the part of the path before the identifier. `head` is whole lines, each with its line break;
    `short_head` is the same for an answer without a body; `etag` is the value of the ETag header. `encoded`
    holds the answer in other content codings, by the name of the coding; only `Cache.encode` adds to it, and
    only if the answer `is_encodable`.
    """

    path: str
    head: bytes
    short_head: bytes
    body: bytes
    etag: bytes
    encoded: dict[str, CachedResponse]
    is_encodable: bool
    route: int
    def __init__(
        self, path: str, head: bytes, short_head: bytes, body: bytes, etag: bytes, *, is_encodable: bool
    ) -> None: ...

class Entry:
    """One object as of one version (from 1), or the fact that there is none (0). Shown before `until_ns`."""

    scope: object
    identifier: str
    version: int
    until_ns: int
    value: object
    response: CachedResponse | None
    weight: int

class Partition:
    """The entries of one tenant and mode, by identifier.

    They are shown before `valid_until_ns`, on the monotonic clock; `engine/read/freshness.py` sets it.
    `was_used` is for the owner to clear.
    """

    scope: object
    entries: dict[str, Entry]
    valid_until_ns: int
    was_used: bool

class Cache:
    """All partitions together, within a bound of bytes. Evicts by S3-FIFO: what is used again stays longest.

    Bytes are the weights that callers give for values, plus the cost of the entries themselves.
    """

    bytes_max: int
    bytes_held: int
    hits: int
    negative_hits: int
    evictions: int
    def __init__(self, bytes_max: int) -> None: ...
    def __len__(self) -> int:
        """Return how many entries can be found."""

    def partition(self, scope: object) -> Partition:
        """Return the partition of a scope; make one if there is none."""

    def find(self, partition: Partition, identifier: str, now_ns: int) -> Entry | None:
        """Return the entry if it may be shown now. Version 0 says that there is no such object."""

    def put(
        self,
        partition: Partition,
        identifier: str,
        version: int,
        value: object,
        weight: int,
        until_ns: int = ...,
    ) -> Entry | None:
        """Keep an object and return its entry; None if it is too heavy. It is shown before `until_ns`.

        An older version never replaces a newer one, and the newer one's entry is returned. The same version
        again moves `until_ns` on, never back.
        """

    def put_absent(self, partition: Partition, identifier: str, until_ns: int) -> Entry | None:
        """Keep until then that there is no such object, unless one is known."""

    def render(self, entry: Entry, response: CachedResponse) -> None:
        """Keep what was rendered from the entry's value, if the entry is still in the cache."""

    def encode(self, entry: Entry, response: CachedResponse, coding: str, form: CachedResponse) -> None:
        """Keep the entry's response in another content coding, if the response is still in the cache and
        `is_encodable`."""

    def drop(self, partition: Partition, identifier: str, version: int) -> bool:
        """Drop an object unless this version or a later one is cached. Return whether it was dropped."""

    def void(self, partition: Partition) -> None:
        """Empty a partition and make it invalid."""

    def forget_partitions(self) -> None:
        """Empty all partitions and forget them. Who still holds one finds nothing in it."""
