"""The line of parked tenants: everybody's turn comes, whatever happens in which order."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from fastpay.domain.identifiers import Scope
from fastpay.engine.write.line import Line

SCOPES = [Scope(f"{number:032}", False) for number in range(5)]
EVENTS = st.tuples(
    st.sampled_from(["join", "begin wait", "end wait", "begin sweep", "end sweep"]),
    # Who joins, and whose book is free when a lane tries it.
    st.sampled_from(SCOPES),
    st.booleans(),
)


class Model:
    """What a line is about, with the tenants that each lane has at the moment."""

    def __init__(self) -> None:
        self.line = Line()
        self.parked: list[Scope] = []
        self.waiting: list[Scope] = []
        self.swept: list[Scope] = []
        # For each parked tenant: who has begun to wait since it did so last, or joined.
        self.overtaken: dict[Scope, list[Scope]] = {}

    def act(self, event: str, scope: Scope, *, is_free: bool) -> None:
        """Have something happen, if it can."""
        line = self.line
        if event == "join" and scope not in self.parked:
            line.join(scope)
            self.parked.append(scope)
            self.overtaken[scope] = []
        elif event == "begin wait" and line.can_wait and len(self.waiting) < 2:
            waiting = line.begin_wait()
            assert waiting is not None
            assert waiting not in self.waiting
            self.waiting.append(waiting)
            for other in self.parked:
                self.overtaken[other].append(waiting)
            self.overtaken[waiting] = []
        elif event == "begin sweep" and line.can_sweep:
            self.swept = line.begin_sweep(2)
        elif event == "end wait" and self.waiting:
            (ended, *self.waiting) = self.waiting
            line.end_wait(ended)
            # Its lane takes others as well.
            self._end([ended, *line.others(1)], is_free=is_free)
        elif event == "end sweep" and self.swept:
            self._end(self.swept, is_free=is_free)
            self.swept = []
            line.end_sweep()

    def _end(self, tried: list[Scope], *, is_free: bool) -> None:
        for scope in tried if is_free else ():
            if scope in self.line:
                self.line.leave(scope)
                self.parked.remove(scope)


@settings(max_examples=300)
@given(st.lists(EVENTS, max_size=80))
def test_no_tenant_is_in_two_lanes_and_none_is_overtaken_twice(
    events: Sequence[tuple[str, Scope, bool]],
) -> None:
    model = Model()
    for event, scope, is_free in events:
        model.act(event, scope, is_free=is_free)
        assert all((scope in model.line) == (scope in model.parked) for scope in SCOPES)
        tried = [*model.waiting, *model.swept]
        assert len(tried) == len(set(tried))
        # Whoever can be tried is: nobody is parked with a lane at rest that could have it.
        idle = {*model.parked} - {*tried}
        assert model.line.can_wait == bool(idle)
        assert model.line.can_sweep == (not model.swept and bool({*model.parked} - {*model.waiting}))
        for parked in model.parked:
            if parked in tried:
                model.overtaken[parked] = []
            others = model.overtaken[parked]
            assert len(others) == len(set(others))


@given(st.integers(1, 5), st.integers(1, 5))
def test_every_tenant_is_swept_and_waits_in_its_turn(parked: int, count: int) -> None:
    line = Line()
    for scope in SCOPES[:parked]:
        line.join(scope)
    waited, swept = [], []
    for _ in range(parked):
        awaited = line.begin_wait()
        assert awaited is not None
        waited.append(awaited)
        line.end_wait(awaited)
        swept += line.begin_sweep(count)
        line.end_sweep()
    assert waited == SCOPES[:parked]
    assert swept[:parked] == SCOPES[:parked]
