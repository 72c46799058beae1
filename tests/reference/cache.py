"""A cache that is searched from end to end at every step: plain lists of records, first in first out."""

from collections.abc import Hashable
from dataclasses import dataclass, field

ENTRY_BYTES = 320
CACHED_RESPONSE_BYTES = 320
USES_MAX = 3


@dataclass
class Record:
    """One object, or that there is none (version 0)."""

    scope: Hashable
    identifier: str
    version: int
    weight: int
    until: int
    uses: int = 0
    rendered: bytes | None = None
    is_gone: bool = False


@dataclass
class Cache:
    """What stays is decided by three lists: new ones, those that were used again, and names of those that
    left."""

    bytes_max: int
    new: list[Record] = field(default_factory=list)
    used: list[Record] = field(default_factory=list)
    left: list[tuple[Hashable, str]] = field(default_factory=list)
    known_left: set[tuple[Hashable, str]] = field(default_factory=set)

    def held(self) -> int:
        """Return the bytes of all records, those included that are gone and not yet out of their list."""
        return sum(record.weight for record in self.new + self.used)

    def record(self, scope: Hashable, identifier: str) -> Record | None:
        """Return the record of an object."""
        for record in self.new + self.used:
            if not record.is_gone and (record.scope, record.identifier) == (scope, identifier):
                return record
        return None

    def put(self, scope: Hashable, identifier: str, version: int, weight: int, until: int) -> None:
        """Keep a version, unless that one or a later one is there or it is too heavy."""
        record = self.record(scope, identifier)
        total = ENTRY_BYTES + weight
        if record is not None and record.version >= version:
            if record.version == version:
                record.until = max(record.until, until)
            return
        if total > self.bytes_max // 16:
            if record is not None:
                self._leave(record)
        elif record is not None:
            record.version, record.weight, record.rendered = version, total, None
            record.until = until
        else:
            self._add(Record(scope, identifier, version, total, until))
        self._make_room()

    def put_absent(self, scope: Hashable, identifier: str, until: int) -> None:
        """Keep that there is none."""
        record = self.record(scope, identifier)
        if record is None and self.bytes_max // 16 >= ENTRY_BYTES:
            self._add(Record(scope, identifier, 0, ENTRY_BYTES, until))
            self._make_room()
        elif record is not None and record.version == 0:
            record.until = until

    def render(self, scope: Hashable, identifier: str, head: bytes, body: bytes) -> None:
        """Keep what was rendered."""
        record = self.record(scope, identifier)
        more = len(head) + len(body) + CACHED_RESPONSE_BYTES
        if record is None or record.rendered is not None or record.weight + more > self.bytes_max // 16:
            return
        record.rendered = body
        record.weight += more
        self._make_room()

    def find(self, scope: Hashable, identifier: str, now: int) -> tuple[int, bytes | None] | None:
        """Return version and response of what may be shown."""
        record = self.record(scope, identifier)
        if record is None or now >= record.until:
            return None
        record.uses = min(USES_MAX, record.uses + 1)
        return record.version, record.rendered

    def drop(self, scope: Hashable, identifier: str, version: int) -> None:
        """Forget what is older."""
        record = self.record(scope, identifier)
        if record is not None and record.version < version:
            self._leave(record)

    def void(self, scope: Hashable) -> None:
        """Forget everything of a scope."""
        for record in self.new + self.used:
            if record.scope == scope:
                record.is_gone = True

    def _add(self, record: Record) -> None:
        name = (record.scope, record.identifier)
        if name in self.known_left:
            self.known_left.discard(name)
            self.used.append(record)
        else:
            self.new.append(record)

    def _leave(self, record: Record) -> None:
        record.is_gone = True
        record.weight = ENTRY_BYTES

    def _make_room(self) -> None:
        while self.held() > self.bytes_max:
            fresh = sum(record.weight for record in self.new)
            if self.new and (fresh > self.bytes_max // 10 or not self.used):
                record = self.new.pop(0)
                if record.is_gone:
                    continue
                if record.uses:
                    record.uses = 0
                    self.used.append(record)
                    continue
                record.is_gone = True
                name = (record.scope, record.identifier)
                self.left.append(name)
                self.known_left.add(name)
                while len(self.left) > max(64, len(self.new) + len(self.used)):
                    self.known_left.discard(self.left.pop(0))
            else:
                record = self.used.pop(0)
                if not record.is_gone and record.uses:
                    record.uses -= 1
                    self.used.append(record)
                else:
                    record.is_gone = True
