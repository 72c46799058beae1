"""The process's own cache: the objects of each tenant, and the answers that were rendered from them."""

class CachedResponse:
    """An answer as it goes out: where it is found, the header lines that belong to it, and its body.

    `path` is what comes before the identifier. `head` is whole lines, each with its line break, and
    `short_head` those that an answer without a body has; `etag` is the value of the header of this name.
    `encoded` holds other forms of the answer, by the name of their coding; only `Cache.encode` adds to it,
    and only where the answer `is_encodable`.
    """

    path: str
    head: bytes
    short_head: bytes
    body: bytes
    etag: bytes
    encoded: dict[str, CachedResponse]
    is_encodable: bool
    def __init__(
        self, path: str, head: bytes, short_head: bytes, body: bytes, etag: bytes, *, is_encodable: bool
    ) -> None: ...

class Entry:
    """One object as of one version (from 1), or the knowledge, until `until_ns`, that there is none (0)."""

    scope: object
    identifier: str
    version: int
    until_ns: int
    value: object
    response: CachedResponse | None
    weight: int

class Partition:
    """The entries of one tenant and mode, by identifier.

    They may be shown before `valid_until_ns`, on the monotonic clock; whoever can prove that none is outdated
    sets it. `generation` counts how often the partition was emptied. `was_used` is for the owner to clear.
    """

    scope: object
    entries: dict[str, Entry]
    generation: int
    valid_until_ns: int
    was_used: bool

class Cache:
    """All partitions together, within a bound of bytes; what is used again stays longest (S3-FIFO).

    Bytes are what callers say that values weigh, with the cost of the entries themselves.
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
        """Return the partition of a scope, a new one where there is none."""

    def find(self, partition: Partition, identifier: str, now_ns: int) -> Entry | None:
        """Return the entry that may be shown now. One of version 0 says that there is no such object."""

    def put(
        self, partition: Partition, identifier: str, version: int, value: object, weight: int
    ) -> Entry | None:
        """Keep an object and return its entry; None where it is too heavy.

        An older version never replaces a newer one, and the entry is then the newer one's.
        """

    def put_absent(self, partition: Partition, identifier: str, until_ns: int) -> Entry | None:
        """Keep for so long that there is no such object, unless one is known."""

    def render(self, entry: Entry, response: CachedResponse) -> None:
        """Keep what was rendered from the entry's value; nothing happens where the entry has left."""

    def encode(self, entry: Entry, response: CachedResponse, coding: str, form: CachedResponse) -> None:
        """Keep another form of the entry's response, for as long as that; nothing happens where it has left,
        or is not to be encoded."""

    def drop(self, partition: Partition, identifier: str, version: int) -> None:
        """Forget an object unless it is known as of this version or a later one."""

    def void(self, partition: Partition) -> None:
        """Forget everything in a partition, and that it was valid."""

    def forget_partitions(self) -> None:
        """Forget everything, the partitions too: what still holds one finds nothing in it any more."""
