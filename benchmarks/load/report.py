"""Tables to read: medians with their spread, and ratios of one run."""

from collections.abc import Mapping, Sequence
from statistics import median

import msgspec
from rich import table
from rich.console import Console

from benchmarks.load.open_loop import Latencies
from benchmarks.load.wrk import Sample
from fastpay.operations.interpreter import describe_interpreter


class Table(table.Table):
    """A table that names the interpreter below: figures of two builds cannot be compared."""

    def __init__(self, *headers: str, title: str | None = None, caption: str | None = None) -> None:
        super().__init__(
            *headers, title=title, caption=", ".join(filter(None, (caption, describe_interpreter())))
        )


# Wide enough for the tables, also where the output is no terminal.
WIDTH = 100


class Figures:
    """The samples of one server under one load."""

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self.rate = median(sample.rate for sample in samples)
        self.p50_ms = median(sample.p50_ms for sample in samples)
        self.p99_ms = median(sample.p99_ms for sample in samples)

    def to_json(self) -> dict[str, object]:
        """Return the medians and every sample."""
        samples = [
            {
                "rate": round(sample.rate, 1),
                "p50_ms": sample.p50_ms,
                "p99_ms": sample.p99_ms,
                "max_ms": sample.max_ms,
            }
            for sample in self.samples
        ]
        return {"rate": round(self.rate, 1), "p50_ms": self.p50_ms, "p99_ms": self.p99_ms, "samples": samples}


def to_record(figures: msgspec.Struct) -> dict[str, object]:
    """Return the fields, for the record."""
    return {name: getattr(figures, name) for name in figures.__struct_fields__}


def show_throughput(console: Console, title: str, found: Mapping[str, Figures]) -> None:
    """Print throughput and the latency under it. The others are held against the first server."""
    table = Table(title=title)
    for column in ("server", "requests/s", "spread", "p50 ms", "p99 ms", "spread", "fastpay is"):
        table.add_column(column, justify="left" if column == "server" else "right", no_wrap=True)
    ours = next(iter(found.values()))
    for name, figures in found.items():
        rates = [sample.rate for sample in figures.samples]
        slowest = [sample.p99_ms for sample in figures.samples]
        table.add_row(
            name,
            f"{figures.rate:,.0f}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            f"{figures.p50_ms:.1f}",
            f"{figures.p99_ms:.1f}",
            f"{min(slowest):.1f}-{max(slowest):.1f}",
            "" if figures is ours else f"{ours.rate / figures.rate:.1f}x",
        )
    console.print(table)


def show_latencies(console: Console, title: str, found: Mapping[str, Sequence[Latencies]]) -> None:
    """Print latencies at fixed rates of arrival."""
    table = Table(title=title)
    for column in ("server", "arrivals/s", "p50 ms", "p99 ms", "p99.9 ms", "slowest ms"):
        table.add_column(column, justify="left" if column == "server" else "right", no_wrap=True)
    for name, runs in found.items():
        for run in runs:
            figures = (run.p50_ms, run.p99_ms, run.p999_ms, run.max_ms)
            table.add_row(name, f"{run.rate:,.0f}", *(f"{figure:.1f}" for figure in figures))
    console.print(table)
