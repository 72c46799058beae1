"""What an instance shows is asked for by others before they ask the database.

The home of a tenant has written nearly all that is new of it, and keeps it in its cache. So a first read at
another instance asks the home, which answers from its cache at once or says that it has nothing. An answer is
proof of the same kind as one of PostgreSQL:

    asking instance, on its own clock           home
    ------------------------------------        ------------------------------------------------------------
    notes `asked_ns`, sends Find          ->    has applied all commits up to `sequence`, and PostgreSQL has
    confirmed (sequence, asked_ns - age)  <-    said no more than that to a question sent `age_ns` before

Clocks may be set differently: only a span travels, and it is counted from before the question was sent.
`engine/read/freshness.py` decides what may be shown with that.
"""

from collections.abc import Callable, Sequence

from fastpay import limits
from fastpay.domain.plan import Versioned
from fastpay.engine.homes import codec, messages
from fastpay.engine.homes.codec import UnsupportedFrame
from fastpay.engine.homes.messages import Find, Found
from fastpay.engine.homes.ports import Show
from fastpay.engine.read.copy_ports import Answers, Key, Seen

# What is left of the average after one more object was asked for.
_WORTH_KEPT = 1 - 1 / 32
_SAMPLED = ("00", "40", "80", "c0")


class Finder:
    """Asks one home, for as long as it answers in time and has some of what it is asked for.

    If it has little, only one object in 64 is asked for, until it has more again. Whatever goes wrong, the
    answer is that nothing was found: that is read from the database.
    """

    def __init__(self) -> None:
        self._numbers = 0
        # What was asked for, who is told, and when it was sent: by number, oldest first.
        self._asked: dict[int, tuple[Sequence[Key], Answers, int]] = {}
        # A moving average: the share of objects asked for that the home had.
        self._worth = 1.0
        self._slow_until_ns = 0

    def __bool__(self) -> bool:
        """Tell whether anything waits for an answer."""
        return bool(self._asked)

    def wants(self, identifier: str, now_ns: int) -> bool:
        """Tell whether it pays to ask for this object now."""
        is_worth = self._worth >= limits.home_worth_min or identifier.endswith(_SAMPLED)
        return is_worth and now_ns >= self._slow_until_ns and len(self._asked) < limits.home_finds_max

    def ask(self, keys: Sequence[Key], now_ns: int, send: Callable[[bytes], None], answers: Answers) -> None:
        """Ask for objects. `answers` is called once, with what the home shows of each."""
        self._numbers = number = self._numbers + 1
        self._asked[number] = keys, answers, now_ns
        send(messages.encode_find(number, keys))

    def take(self, found: Found) -> None:
        """Give an answer to who waits. Raises: msgspec.MsgspecError, UnsupportedFrame."""
        asked = self._asked.get(found.number)
        if asked is None:
            return
        keys, answers, _ = asked
        if len(found.seen) != len(keys):
            raise UnsupportedFrame("more or fewer objects than were asked for")
        seen: list[Seen | None] = []
        for key, one in zip(keys, found.seen, strict=True):
            self._worth *= _WORTH_KEPT
            if one is None:
                # Its tenant is confirmed soon, since it is asked for.
                seen.append(None)
                continue
            if one.age_ns < 0 or one.known < 0:
                raise UnsupportedFrame("a proof of the future")
            versioned, shown = None, one.shown
            if shown is not None:
                self._worth += 1 - _WORTH_KEPT
                stored = codec.decode_stored(shown.kind, shown.body)
                # An identifier is of one tenant.
                if getattr(stored, "id", None) != key[1]:
                    raise UnsupportedFrame("another object than was asked for")
                versioned = Versioned(stored, shown.version, shown.sequence)
            seen.append(Seen(versioned, one.known, one.age_ns))
        del self._asked[found.number]
        answers(seen)

    def expire(self, now_ns: int) -> None:
        """Wait no more for what was sent too long ago, and ask for nothing for a while."""
        late_ns = now_ns - limits.home_find_ms * 1_000_000
        for number in [number for number, (_, _, sent_ns) in self._asked.items() if sent_ns <= late_ns]:
            self._slow_until_ns = now_ns + limits.home_slow_ms * 1_000_000
            self._end(number)

    def lose(self) -> None:
        """Wait no more: the connection has ended. The next one may be to a home that has more."""
        self._worth, self._slow_until_ns = 1.0, 0
        for number in list(self._asked):
            self._end(number)

    def _end(self, number: int) -> None:
        keys, answers, _ = self._asked.pop(number)
        answers([None] * len(keys))


def answer(find: Find, show: Show) -> bytes:
    """Return the frame that answers a question with what `show` returns."""
    seen: list[object] = []
    for wanted in find.wanted:
        one = show(codec.scope_of(wanted), wanted.identifier)
        if one is None:
            seen.append(None)
        elif one.versioned is None:
            seen.append((one.sequence, one.age_ns))
        else:
            seen.append((one.sequence, one.age_ns, codec.shown_message(one.versioned)))
    try:
        return messages.encode_found(find.number, seen)
    except (TypeError, OverflowError):
        # One of them cannot travel.
        return messages.encode_found(find.number, [None] * len(seen))
