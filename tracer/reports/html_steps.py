"""Training steps in a page: the table of phases, how the difference grows, and what that means."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tracer.divergence.diagnosis import Diagnosis
from tracer.divergence.training.steps import PHASES, StepRow
from tracer.reports import step_words as words

_COLORS: dict[str, str] = {
    "agrees": "#2e7d32",
    "starts here": "#c62828",
    "carried on": "#e57373",
    "unsure": "#b26a00",
    "not judged": "#888",
}
_CURVES = ("#1565c0", "#ef6c00")
_MOST = 40
"""How many steps the table has; the JSON has all."""

_WIDTH, _HEIGHT, _TOP = 480, 90, 80


def steps(diagnosis: Diagnosis) -> list[str]:
    """The parts of a page on training steps; none where there is no training."""
    if not diagnosis.steps:
        return []
    lines = ["<tr><th>step</th>" + "".join(f"<th>{name}</th>" for name in PHASES) + "</tr>"]
    for row in words.shown_steps(diagnosis, _MOST):
        if isinstance(row, words.LeftOut):
            lines.append(f'<tr><td></td><td class="quiet" colspan="{len(PHASES)}">{escape(row.words)}</td></tr>')
        else:
            lines.append(_row(diagnosis, row))
    parts = ["<h2>The steps</h2>", "<p>Relative L2 between both sides, phase by phase.</p>"]
    return [*parts, "<table>" + "".join(lines) + "</table>", *_growth(diagnosis)]


def _row(diagnosis: Diagnosis, row: StepRow) -> str:
    found = "".join(
        f'<td style="color: {_COLORS[cell.state]}" title="{escape(cell.said)}">{escape(cell.number)} {cell.state}</td>'
        for cell in words.cells(diagnosis, row)
    )
    return f'<tr><td class="number">{row.step}</td>{found}</tr>'


def _growth(diagnosis: Diagnosis) -> list[str]:
    told = words.told_curves(diagnosis)
    if not told:
        return []
    heights = words.levels([curve for curve, _ in told], _WIDTH, _TOP)
    lines = [_line(height, color) for height, color in zip(heights, _CURVES, strict=False)]
    named = [
        f'<span style="color: {color}">{curve.name}</span> {escape(said)}'
        for (curve, said), color in zip(told, _CURVES, strict=False)
    ]
    story = words.growth_story(diagnosis)
    size = f'viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}"'
    return [
        "<h2>Growth</h2>",
        f'<svg {size} role="img" aria-label="difference over steps, logarithmic">{"".join(lines)}</svg>',
        "<p>" + "<br>".join(named) + "</p>",
        *([f"<p>{escape(story)}</p>"] if story else []),
    ]


def _line(heights: Sequence[int | None], color: str) -> str:
    apart = _WIDTH / max(len(heights) - 1, 1)
    points = [f"{n * apart:.1f},{_HEIGHT - 5 - height}" for n, height in enumerate(heights) if height is not None]
    return f'<polyline fill="none" stroke="{color}" stroke-width="2" points="{" ".join(points)}"></polyline>'
