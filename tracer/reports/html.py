"""A diagnosis -> HTML: a fragment for a notebook, or a page that needs nothing but itself."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

from tracer.divergence.diagnosis import Diagnosis, Origin, PairRow, RoadStep, Spot
from tracer.reports import html_steps, step_words, wording

_COLORS = {"agree": "#2e7d32", "diverged": "#c62828", "unsure": "#b26a00"}
_STATE_COLORS = {
    "agrees": "#2e7d32",
    "starts here": "#c62828",
    "carried on": "#e57373",
    "grew": "#f9a825",
    "diverged": "#c62828",
    "first in order": "#c62828",
    "differs": "#e57373",
}
_STYLE = """
.tracer-diff {font: 14px/1.5 system-ui, sans-serif; max-width: 72em}
.tracer-diff h1 {font-size: 1.3em; margin: 0 0 .2em; overflow-wrap: anywhere}
.tracer-diff h2 {font-size: 1em; margin: 1.2em 0 .3em}
.tracer-diff code, .tracer-diff pre {font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere}
.tracer-diff pre {margin: .2em 0; padding: .4em .6em; background: #8881; white-space: pre-wrap}
.tracer-diff table {border-collapse: collapse}
.tracer-diff td, .tracer-diff th {padding: .1em 1em .1em 0; text-align: left; vertical-align: top; background: none}
.tracer-diff .number {text-align: right; font-variant-numeric: tabular-nums}
.tracer-diff .bar {width: 14em} .tracer-diff .bar div {height: .8em; border-radius: 2px}
.tracer-diff .quiet {opacity: .7}
"""


def fragment(diagnosis: Diagnosis) -> str:
    """The report as one `<div>` with its style."""
    origin = diagnosis.origin
    nets = f"{wording.side(diagnosis.reference)} | {wording.side(diagnosis.candidate)}"
    parts = [
        f'<h1 style="color: {_COLORS.get(diagnosis.verdict, "inherit")}">{escape(wording.headline(diagnosis))}</h1>',
        f'<div class="quiet">{escape(nets)}</div>',
        f"<p>{escape(diagnosis.reason)}</p>",
        *(f"<p><b>note</b> {escape(note)}</p>" for note in diagnosis.beforehand),
    ]
    if origin is not None:
        parts += _origin(diagnosis, origin, "The origin")
        parts += _road(diagnosis.road, origin)
        roads = dict(enumerate(diagnosis.other_roads, start=2))
        for number, other in enumerate(diagnosis.origins[1:], start=2):
            parts += _origin(diagnosis, other, f"Origin {number}: {wording.place_name(other)}")
            parts += _road(roads.get(number, ()), other)
    parts += html_steps.steps(diagnosis)
    parts += ["<h2>Coverage</h2>", _list(_coverage(diagnosis))]
    notes = step_words.notes_after(diagnosis)
    if notes:
        parts += ["<h2>Notes</h2>", _list(notes)]
    if diagnosis.rows:
        parts += ["<h2>Every pair</h2>", _rows(diagnosis.rows)]
    return f'<div class="tracer-diff"><style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</div>"


def page(diagnosis: Diagnosis) -> str:
    """The report as a page of its own; follows the reader's light or dark colours."""
    title = escape(wording.headline(diagnosis))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>tracer diff: {title}</title></head>\n<body>\n{fragment(diagnosis)}\n</body></html>\n"
    )


def _origin(diagnosis: Diagnosis, origin: Origin, title: str) -> list[str]:
    rows = [_spot(label, spot, origin) for label, spot in wording.sides_of(origin)]
    parts = [f"<h2>{escape(title)}</h2>", "<table>", *rows, "</table>"]
    said = wording.measured(origin)
    if said:
        parts.append("<p>" + "<br>".join(map(escape, said)) + "</p>")
    story = wording.what_happened(diagnosis, origin)
    if story:
        parts.append(f"<p>{escape(story)}</p>")
    for cause in wording.causes_to_tell(origin):
        parts.append(f"<p><b>{wording.cause_label(cause, origin)}</b> {escape(wording.cause_sentence(cause))}</p>")
        if cause.edit:
            parts.append(f"<pre>{escape(cause.edit)}</pre>")
    return parts


def _spot(label: str, spot: Spot | None, origin: Origin) -> str:
    if spot is None:
        return f"<tr><th>{label}</th><td>nothing</td></tr>"
    name, kind = wording.spot_words(spot, origin)
    code = f"<br><code>{escape(spot.text)}</code>" if spot.text else ""
    if spot.called_at:
        code = f"<br>code around {escape(spot.called_at)}<br><code>{escape(spot.called_text or '')}</code>"
    return (
        f"<tr><th>{label}</th><td><code>{escape(name)}</code></td><td>{escape(kind)}</td>"
        f"<td><code>{escape(wording.source_of(spot))}</code>{code}</td></tr>"
    )


def _road(road: Iterable[RoadStep], origin: Origin) -> list[str]:
    steps = list(road)
    if not steps:
        return []
    sizes = [step.difference.size if step.difference else 0.0 for step in steps]
    logs = [math.log10(size) for size in sizes if 0 < size < math.inf]
    low, high = (min(logs), max(logs)) if logs else (0.0, 0.0)
    lines = []
    for step, size in zip(steps, sizes, strict=True):
        share = 1.0 if math.isinf(size) else 0.0
        if 0 < size < math.inf:
            share = 0.05 + 0.95 * ((math.log10(size) - low) / (high - low) if high - low > 0.3 else 0.0)
        color = _STATE_COLORS.get(step.state, "#888")
        difference = step.difference
        number = "-" if difference is None else difference.problem or wording.number(difference.relative_l2)
        lines.append(
            f"<tr><td><code>{escape(wording.step_name(step, origin))}</code></td>"
            f'<td class="bar"><div style="width: {100 * share:.0f}%; background: {color}"></div></td>'
            f'<td class="number">{escape(number)}</td><td style="color: {color}">{escape(step.state)}</td></tr>'
        )
    return ["<h2>The road</h2>", "<table>" + "".join(lines) + "</table>"]


def _coverage(diagnosis: Diagnosis) -> list[str]:
    return [
        wording.coverage(diagnosis),
        *(said + ", ".join(names) for said, names in wording.alone(diagnosis.alignment)),
        *(step_words.unjudged(diagnosis) if diagnosis.steps else wording.unjudged_phases(diagnosis.coverage)),
    ]


def _list(items: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(item)}</li>" for item in items) + "</ul>"


def _rows(rows: Iterable[PairRow]) -> str:
    names = ("phase", "reference", "candidate", "op", "relative L2", "tolerance", "verdict", "paired because")
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"]
    for row in rows:
        difference = row.difference
        color = _STATE_COLORS.get(row.state, "inherit")
        lines.append(
            f"<tr><td>{row.phase}</td><td><code>{escape(_name(row.reference))}</code></td>"
            f"<td><code>{escape(_name(row.candidate))}</code></td><td>{escape(row.op)}</td>"
            f'<td class="number">{wording.number(difference.relative_l2) if difference else "-"}</td>'
            f'<td class="number">{wording.number(difference.tolerance) if difference else "-"}</td>'
            f'<td style="color: {color}">{escape(row.state)}</td><td>{escape(row.reason)}</td></tr>'
        )
    return "<table>" + "".join(lines) + "</table>"


def _name(spot: Spot | None) -> str:
    return "-" if spot is None else wording.spot_name(spot)
