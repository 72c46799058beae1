"""What is taken for equal when two answers are compared: what an operator declares, and what is learned.

A declared pattern names the end of a path, or all of it: `created` is each field of that name, `data[].url`
the addresses of the elements of `data`.

Noise is learned from the legacy API itself: some requests are sent to it twice, and what differs between its
own two answers says nothing about this server. It is forgotten once `comparison_noise_samples` pairs have not
shown it. A status and money are never learned: there, no difference is noise.
"""

from collections.abc import Iterable, Sequence

import msgspec

from fastpay import limits
from fastpay.engine.rollout.comparison import Difference, Kind, is_money

_NEVER_LEARNED: frozenset[Kind] = frozenset(("status", "money", "event", "posting"))
_ONE_SIDED: frozenset[Kind] = frozenset(("missing", "added"))


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What an operator declares, as patterns of paths."""

    ignored: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    unordered: tuple[str, ...] = ()
    # Both sides make their own identifiers and times in a write, so those always differ.
    is_write: bool = False


class Noise:
    """What was learned of one route."""

    def __init__(self) -> None:
        self._samples = 0
        # When each place was seen to differ last, counted in samples.
        self._seen: dict[tuple[Kind, str], int] = {}

    def learn(self, differences: Iterable[Difference]) -> None:
        """Note what differs between two answers of the legacy API."""
        self._samples += 1
        for one in differences:
            key = _noise_key(one)
            if one.kind not in _NEVER_LEARNED and (
                key in self._seen or len(self._seen) < limits.comparison_noise_max
            ):
                self._seen[key] = self._samples
        oldest = self._samples - limits.comparison_noise_samples
        self._seen = {key: at for key, at in self._seen.items() if at > oldest}

    def knows(self, difference: Difference) -> bool:
        """Tell whether a difference was learned."""
        return _noise_key(difference) in self._seen


class DeclaredAndLearned:
    """Satisfies `Lens`."""

    def __init__(self, rules: Rules, noise: Noise) -> None:
        self._rules = rules
        self._noise = noise

    def ignores(self, path: str) -> str | None:
        """Tell whether a place does not count."""
        return _named("ignore", self._rules.ignored, path)

    def identifies(self, path: str) -> str | None:
        """Tell whether identifiers may differ."""
        if self._rules.is_write:
            return "identifiers of a write"
        return _named("identifiers", self._rules.identifiers, path)

    def times(self, path: str) -> str | None:
        """Tell whether two times may differ."""
        if self._rules.is_write and not is_money(path):
            return "times of a write"
        return _named("timestamps", self._rules.times, path)

    def reorders(self, path: str) -> str | None:
        """Tell whether the order of a list does not count."""
        rule = _named("unordered", self._rules.unordered, path)
        return rule or self.hides(Difference("order", path))

    def hides(self, difference: Difference) -> str | None:
        """Tell whether a difference is noise."""
        return f"learned: {difference.name}" if self._noise.knows(difference) else None


def _named(rule: str, patterns: Sequence[str], path: str) -> str | None:
    for pattern in patterns:
        if path == pattern or path.endswith("." + pattern):
            return f"{rule}: {pattern}"
    return None


def _noise_key(difference: Difference) -> tuple[Kind, str]:
    """Return what is learned of a difference. What comes and goes, comes and goes on either side."""
    kind = "missing" if difference.kind in _ONE_SIDED else difference.kind
    return kind, difference.path
