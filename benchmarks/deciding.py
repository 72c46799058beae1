"""How long does the domain take to decide one payment, created and confirmed at once? No database, no bytes.

Run: pytest benchmarks/deciding.py
"""

from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import samples
from fastpay.domain.plan import Draft


def test_create_and_confirm(benchmark: BenchmarkFixture) -> None:
    workspace, command = samples.new_workspace(), samples.new_command()
    draft: Draft = benchmark(samples.decide, workspace, command)
    assert (len(draft.versions), len(draft.transfers), len(draft.events)) == (3, 2, 3)
    assert len(draft.accounts) == 3


def test_create_and_confirm_and_take_over(benchmark: BenchmarkFixture) -> None:
    workspace, command = samples.new_workspace(), samples.new_command()

    def decide_and_merge() -> None:
        workspace.merge(samples.decide(workspace, command))

    benchmark(decide_and_merge)
    assert workspace.sequence % 3 == 0
    assert workspace.sequence > 0
