"""Plots of one run, as SVG and PNG, from the figures that the tables show."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Of a palette that the colour-blind can tell apart.
_COLORS = {
    "fastpay": "#0072b2",
    "fastapi": "#d55e00",
    "flask": "#009e73",
    "granian": "#cc79a7",
    "uvicorn": "#e69f00",
}
_STROKES = ("-", "--", ":", "-.")
# Nines of a percentile: where its tick stands, and what it is called.
_NINES = {0.0: "0", 0.5: "50", 0.9: "90", 0.99: "99", 0.999: "99.9", 0.9999: "99.99"}

Line = Sequence[tuple[float, float]]


def draw_lines(
    folder: Path, name: str, lines: Mapping[str, Line], *, title: str, across: str, up: str, log: bool = True
) -> None:
    """Draw a line for each server over one axis."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    for server, points in lines.items():
        axes.plot(*zip(*points, strict=True), marker="o", label=server, color=_color(server))
    axes.set(title=title, xlabel=across, ylabel=up)
    if log:
        axes.set_yscale("log")
    _finish(figure, axes, folder, name)


def draw_percentiles(folder: Path, name: str, curves: Mapping[str, Line], *, title: str) -> None:
    """Draw latency over percentiles, each further nine as wide as the one before (as HdrHistogram does)."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    drawn: Counter[str | None] = Counter()
    for server, points in curves.items():
        places = [(1 / (1 - share), latency) for share, latency in points if share < 1]
        color = _color(server)
        # Lines of one server have its colour, and are told apart by their strokes.
        style = _STROKES[drawn[color] % len(_STROKES)]
        axes.plot(*zip(*places, strict=True), label=server, color=color, linestyle=style)
        drawn[color] += 1
    axes.set_xscale("log")
    axes.set_xticks([1 / (1 - share) for share in _NINES], list(_NINES.values()))
    axes.minorticks_off()
    axes.set(title=title, xlabel="percentile", ylabel="latency, ms")
    axes.set_yscale("log")
    _finish(figure, axes, folder, name)


def _color(server: str) -> str | None:
    return _COLORS.get(server.split(" ", maxsplit=1)[0].rstrip(","))


def _finish(figure: Figure, axes: Axes, folder: Path, name: str) -> None:
    axes.grid(alpha=0.3)
    axes.legend()
    for ending in ("svg", "png"):
        figure.savefig(folder / f"{name}.{ending}", dpi=120)
    plt.close(figure)
