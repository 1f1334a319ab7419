"""Curves as a picture: every measure with both sides on one plot, the difference below. The only user of matplotlib."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tracer.curves.beside import Beside
from tracer.curves.parting import Parting
from tracer.errors import TracerError
from tracer.reports import curve_words

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_REFERENCE, _CANDIDATE, _DIFFERENCE, _NOISE, _PARTED = "#1f77b4", "#d62728", "#333333", "#b0b0b0", "#d62728"
_MOST = 12
"""Measures in a picture; what is more is named in the report."""

_END = 1e100
"""Numbers beyond which matplotlib cannot place an axis."""

_FEW = 40
"""Points below which each is marked."""


def png(both: Beside) -> bytes:
    """The picture as a PNG. Nothing is opened, and no setting of matplotlib stays changed.

    Raises:
        TracerError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        then = "pip install matplotlib, or tracer with its extra: pip install 'tracer[plot]'"
        raise TracerError("a picture needs matplotlib, which is not installed", where=str(error), then=then) from error

    with mpl.rc_context():
        mpl.rcdefaults()
        shown = both.partings[:_MOST]
        figure = Figure(figsize=(9.0, 3.9 * len(shown) + 0.7), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        _draw(figure, shown, both)
        out = io.BytesIO()
        figure.savefig(out, format="png", metadata={"Software": "tracer"})
        return out.getvalue()


def _draw(figure: Figure, shown: Sequence[Parting], both: Beside) -> None:
    """A pair of plots for each measure: the curves, and below them the difference on a log scale."""
    figure.suptitle(_plain(curve_words.summary(both)), fontsize=12, fontweight="bold")
    blocks: Any = figure.subfigures(len(shown), 1, squeeze=False)[:, 0]
    names = _short(both.reference.source), _short(both.candidate.source)
    for block, parting in zip(blocks, shown, strict=True):
        above, below = block.subplots(2, 1, sharex=True, height_ratios=(2.2, 1))
        _curves(above, parting, names)
        _difference(below, parting)


def _curves(axes: Any, parting: Parting, names: tuple[str, str]) -> None:
    mark = {"marker": "o", "markersize": 4} if len(parting.steps) < _FEW else {}
    axes.plot(parting.steps, _drawn(parting.reference), color=_REFERENCE, linewidth=2.6, alpha=0.65,
              label=f"reference  {names[0]}", **mark)  # fmt: skip
    axes.plot(parting.steps, _drawn(parting.candidate), color=_CANDIDATE, linewidth=1.3, linestyle=(0, (4, 2)),
              label=f"candidate  {names[1]}", **mark)  # fmt: skip
    _mark(axes, parting)
    if _wants_log(parting):
        axes.set_yscale("log")
    axes.set_ylabel(_plain(curve_words.label(parting.measure)))
    axes.set_title(
        _plain(f"{curve_words.label(parting.measure)}: {curve_words.short(parting)}"), loc="left", fontsize=10
    )
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, framealpha=0.85)


def _difference(axes: Any, parting: Parting) -> None:
    """|reference - candidate|; equal points have no place on a log scale and stand at its foot."""
    apart = [abs(a - b) for a, b in zip(parting.reference, parting.candidate, strict=True)]
    shown = [(s, d) for s, d in zip(parting.steps, apart, strict=True) if math.isfinite(d)]
    above = [d for _, d in shown if d > 1 / _END]
    foot = min(above) / 3 if above else 0.0
    if above:
        axes.set_yscale("log")
    steps, drawn = [s for s, _ in shown], [min(max(d, foot), _END) for _, d in shown]
    mark = {"marker": "o", "markersize": 3} if len(parting.steps) < _FEW else {}
    axes.plot(steps, drawn, color=_DIFFERENCE, linewidth=1.0, label="|difference|", **mark)
    noise = [(s, n) for s, n in zip(parting.steps, parting.noise, strict=False) if 1 / _END < n < _END]
    if noise and above:
        axes.plot(*zip(*noise, strict=True), color=_NOISE, linewidth=1.2, linestyle="-.", label="noise of both")
    _mark(axes, parting)
    if not above:
        axes.set_ylim(-1, 1)
        axes.set_yticks([0])
    axes.set_xlabel("step")
    axes.set_ylabel("difference")
    axes.grid(alpha=0.25)
    axes.legend(fontsize=8, framealpha=0.85)


def _mark(axes: Any, parting: Parting) -> None:
    """Where they part, and how sure that step is."""
    if parting.step is None:
        return
    axes.axvline(parting.step, color=_PARTED, linewidth=1.0, linestyle=":", label=f"step {parting.step}")
    if parting.about:
        axes.axvspan(parting.step - parting.about, parting.step + parting.about, color=_PARTED, alpha=0.08, linewidth=0)


def _drawn(values: Sequence[float]) -> list[float]:
    """NaN where there is nothing to draw; what is beyond all axes at their end."""
    return [min(max(value, -_END), _END) if math.isfinite(value) else math.nan for value in values]


def _wants_log(parting: Parting) -> bool:
    """Curves that fall or rise over several powers of ten, and stay above zero."""
    values = [v for v in (*parting.reference, *parting.candidate) if math.isfinite(v)]
    return bool(values) and min(values) > 1 / _END and max(values) > 300 * min(values)


def _short(source: str, width: int = 60) -> str:
    return _plain(source if len(source) <= width else f"...{source[3 - width :]}")


def _plain(text: str) -> str:
    """A user's words, of which nothing is a formula."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("$", r"\$")
