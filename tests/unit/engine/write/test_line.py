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
        # For each parked tenant: how many others have waited, and been swept, since it was its turn last.
        self.overtaken: dict[Scope, list[Scope]] = {}

    def act(self, event: str, scope: Scope, *, is_free: bool) -> None:
        """Have something happen, if it can."""
        line = self.line
        if event == "join" and scope not in self.parked:
            line.join(scope)
            self.parked.append(scope)
            self.overtaken[scope] = []
        elif event == "begin wait" and line.can_wait:
            waiting = line.begin_wait()
            assert waiting is not None
            self.waiting = [waiting]
            for other in self.parked:
                self.overtaken[other].append(waiting)
            self.overtaken[waiting] = []
        elif event == "begin sweep" and line.can_sweep:
            self.swept = line.begin_sweep(2)
        elif event == "end wait" and self.waiting:
            self._end(self.waiting, is_free=is_free)
            line.end_wait()
        elif event == "end sweep" and self.swept:
            self._end(self.swept, is_free=is_free)
            line.end_sweep()

    def _end(self, tried: list[Scope], *, is_free: bool) -> None:
        for scope in tried if is_free else ():
            self.line.leave(scope)
            self.parked.remove(scope)
        tried.clear()


@settings(max_examples=300)
@given(st.lists(EVENTS, max_size=80))
def test_no_tenant_is_in_both_lanes_and_none_is_overtaken_twice_in_the_wait(
    events: Sequence[tuple[str, Scope, bool]],
) -> None:
    model = Model()
    for event, scope, is_free in events:
        model.act(event, scope, is_free=is_free)
        assert bool(model.line) == bool(model.parked)
        assert not {*model.waiting} & {*model.swept}
        assert {*model.waiting, *model.swept} <= {*model.parked}
        assert len(model.swept) <= 2
        # Whoever can be tried is: nobody is parked with both lanes at rest and nothing to do.
        assert model.line.can_wait == (not model.waiting and {*model.parked} > {*model.swept})
        assert model.line.can_sweep == (not model.swept and {*model.parked} > {*model.waiting})
        for parked in model.parked:
            others = model.overtaken[parked]
            # Only while it is being swept may another one have the wait twice before it.
            assert len(others) == len(set(others)) or parked in model.swept or event == "end sweep"


@given(st.integers(1, 5), st.integers(1, 5))
def test_every_tenant_is_swept_and_waits_in_its_turn(parked: int, count: int) -> None:
    line = Line()
    for scope in SCOPES[:parked]:
        line.join(scope)
    waited, swept = [], []
    for _ in range(parked):
        waited.append(line.begin_wait())
        line.end_wait()
        swept += line.begin_sweep(count)
        line.end_sweep()
    assert waited == SCOPES[:parked]
    assert swept[:parked] == SCOPES[:parked]
