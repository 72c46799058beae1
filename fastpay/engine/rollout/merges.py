"""How answers of both sides ended, how long they took, and how much of the legacy API they asked for."""

from collections.abc import Callable, Mapping

from fastpay._native.histograms import Histograms
from fastpay.engine.rollout.finding_ports import RouteKey
from fastpay.engine.rollout.findings import Findings
from fastpay.errors import FastpayError
from fastpay.observability import telemetry
from fastpay.observability.buckets import DURATION_BOUNDS_NS

_log = telemetry.Log("fastpay.rollout")
# Refused is what a client did wrong. What failed was shown to nobody, not even in part.
_OUTCOMES = ("answered", "refused", "failed")
LABELS = tuple({"outcome": outcome} for outcome in _OUTCOMES)
_REFUSED, _FAILED = 400, 500


class Merges:
    """Counts merged answers. `parts_asked` are the requests to the legacy API."""

    def __init__(self, findings: Findings, now_ns: Callable[[], int]) -> None:
        self._findings = findings
        self.now_ns = now_ns
        self.times = Histograms(DURATION_BOUNDS_NS, len(_OUTCOMES))
        self.parts_asked = 0

    def counts(self) -> Mapping[str, int]:
        """Return what was asked of the legacy API, since the start."""
        return {"merged_parts_asked": self.parts_asked}

    def ended(self, key: RouteKey, begun_ns: int, answer: int | FastpayError) -> None:
        """Count an answer: its status, or why there is none."""
        status = answer if isinstance(answer, int) else answer.status
        series = (status >= _REFUSED) + (status >= _FAILED)
        self.times.observe(self.now_ns() - begun_ns, series)
        if _OUTCOMES[series] == "answered":
            self._findings.added(key, "outcome", "merged")
        elif _OUTCOMES[series] == "failed":
            self._findings.added(key, "outcome", "unmerged")
            reason = f"this server's own part: {answer}" if isinstance(answer, int) else answer.message
            code = None if isinstance(answer, int) else answer.code
            _log.warning("merge_failed", route=key.route, status=status, code=code, reason=reason)
