"""A profile -> HTML: a fragment for a notebook, or a page that needs nothing but itself, with a flame view by path."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from tracer.profiling.beside import Profile
from tracer.profiling.flame import Flame, flames
from tracer.profiling.rows import Row
from tracer.profiling.sides import Side
from tracer.reports import profile_words as words

_STATES = {
    "slower": "#c62828",
    "faster": "#2e7d32",
    "alike": "#78909c",
    "reference only": "#0277bd",
    "candidate only": "#c62828",
}
_ROWS = 200
_LEAST = 0.0004
"""The part of the page's width below which nothing is drawn."""

_STYLE = """
.tracer-profile {font: 14px/1.5 system-ui, sans-serif; max-width: 90em}
.tracer-profile h1 {font-size: 1.3em; margin: 0 0 .2em; overflow-wrap: anywhere}
.tracer-profile h2 {font-size: 1em; margin: 1.2em 0 .3em}
.tracer-profile code {font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere}
.tracer-profile table {border-collapse: collapse}
.tracer-profile td, .tracer-profile th {padding: .1em 1em .1em 0; text-align: left; background: none;
  vertical-align: top}
.tracer-profile .number {text-align: right; font-variant-numeric: tabular-nums}
.tracer-profile .quiet {opacity: .7}
.tracer-profile .flame {position: relative; overflow: hidden; background: #8881; margin: .3em 0}
.tracer-profile .flame div {position: absolute; height: 19px; box-sizing: border-box; border: 1px solid #fff8;
  border-radius: 2px; overflow: hidden; white-space: nowrap; color: #fff; font: 11px/17px ui-monospace, monospace;
  padding: 0 2px}
.tracer-profile .flame div:hover, .tracer-profile .flame div.both {filter: brightness(1.35); border-color: #000}
"""

_SCRIPT = """
for (const flame of document.querySelectorAll('.tracer-profile .flame')) {
  const boxes = [...flame.children];
  const show = (left, width) => { for (const box of boxes) {
    box.style.left = 100 * (box.dataset.l - left) / width + '%';
    box.style.width = 100 * box.dataset.w / width + '%';
  } };
  for (const box of boxes) {
    box.addEventListener('click', () => box.dataset.d === '0' ? show(0, 1) : show(+box.dataset.l, +box.dataset.w));
    for (const [event, on] of [['mouseenter', true], ['mouseleave', false]]) box.addEventListener(event, () => {
      if (!box.dataset.p) return;
      for (const other of document.querySelectorAll('.tracer-profile .flame div'))
        if (other.dataset.p === box.dataset.p) other.classList.toggle('both', on);
    });
  }
}
"""


def fragment(profile: Profile) -> str:
    """The report as one `<div>` with its style; nothing in it runs."""
    sides = [("trace", profile.reference)] if profile.candidate is None else [
        ("reference", profile.reference), ("candidate", profile.candidate)]  # fmt: skip
    parts = [f"<h1>{escape(words.summary(profile))}</h1>"]
    for word, side in sides:
        parts.append(f'<div class="quiet">{word}: {escape("   ".join(words.side(side)))}</div>')
    parts += [f"<p><b>note</b> {escape(said)}</p>" for said in words.beforehand(profile)]
    parts += _answer(profile)
    parts += ["<h2>Where the time goes, by path</h2>", _legend(profile)]
    longest = max(profile.wholes)
    numbers = _numbers(profile)
    for at, (word, side) in enumerate(sides):
        step = profile.steps[at]
        parts.append(_flame(word, side, profile, step.median if step else 0.0, longest, numbers[at]))
    parts += ["<h2>Layers</h2>", _table(profile, profile.rows[:_ROWS])]
    if len(profile.rows) > _ROWS:
        parts.append(f'<p class="quiet">{len(profile.rows) - _ROWS} more: --csv has them all</p>')
    if profile.blocks:
        parts += ["<h2>Blocks</h2>", _table(profile, profile.blocks[:_ROWS])]
    parts += [f'<p class="quiet">{escape(words.legend(profile))}</p>', _list(words.notes(profile))]
    return f'<div class="tracer-profile"><style>{_STYLE}</style>\n' + "\n".join(parts) + "\n</div>"


def page(profile: Profile) -> str:
    """The report as a page of its own; a click on a box shows it as wide as the page, one on the uppermost all."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>tracer profile: {escape(words.summary(profile))}</title></head>\n<body>\n{fragment(profile)}\n"
        '<p style="font: 14px system-ui, sans-serif">A click on a box makes it as wide as all, one on the uppermost '
        "shows all.</p>\n"
        f"<script>{_SCRIPT}</script>\n</body></html>\n"
    )


def _answer(profile: Profile) -> list[str]:
    label = "loses most" if profile.candidate is not None else "takes most"
    told = [(label, words.most(profile)), ("of a kind", words.kind_most(profile)), ("slow", words.slow(profile)),
            ("in all", words.balance(profile)), ("explained", words.explained(profile)),
            ("overlap", words.overlapping(profile)), ("memory", words.memory(profile))]  # fmt: skip
    told += [("alone", said + ", ".join(names[:10])) for said, names in words.alone(profile)]
    return [f"<p><b>{label}</b> {escape(said)}</p>" for label, said in told if said]


def _list(items: Iterable[str]) -> str:
    found = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f'<h2>Notes</h2><ul class="quiet">{found}</ul>' if found else ""


# --------------------------------------------------------------------------------------------------------------------
# Flames
# --------------------------------------------------------------------------------------------------------------------

Known = Mapping[str, tuple[int, Row]]
"""By path: the number of the pair, and its row."""


def _numbers(profile: Profile) -> tuple[Known, Known]:
    ours: dict[str, tuple[int, Row]] = {}
    theirs: dict[str, tuple[int, Row]] = {}
    for number, row in enumerate([*profile.blocks, *(row for row in profile.rows if row.sort == "layer")], start=1):
        for known, taken in ((ours, row.reference), (theirs, row.candidate)):
            for path in taken.paths if taken is not None else ():
                known.setdefault(path, (number, row))
    return ours, theirs


def _legend(profile: Profile) -> str:
    what = "Width is time, forward and backward together; both sides have one scale." if profile.candidate else (
        "Width is time, forward and backward together.")  # fmt: skip
    deeper = "The redder, the slower."
    signs = [f'<span style="color: {color}">&#9632;</span> {state}' for state, color in _STATES.items()]
    gaps = ("What a box does not fill with boxes is code between its layers; what follows the net is the rest. "
            "Point at a box for its path and times.")  # fmt: skip
    return f'<p class="quiet">{what} {gaps} {" ".join([*signs, deeper]) if profile.candidate else ""}</p>'


def _flame(word: str, side: Side, profile: Profile, step: float, longest: float, known: Known) -> str:
    if longest <= 0:
        return ""
    found = flames(side)
    boxes = [_box(f"{word}: {words.time(step)} a step", 0.0, step / longest, 0, "#455a64", "", "")]
    for one in found:
        if one.length / longest >= _LEAST:
            number, row = known.get(one.path, (0, None))
            color = _color(one, row, side, both=profile.candidate is not None)
            tip = _tip(one, row)
            name = one.path.rpartition(".")[2]
            boxes.append(_box(name, one.begin / longest, one.length / longest, one.depth + 1, color, tip,
                              str(number) if number and profile.candidate is not None else ""))  # fmt: skip
    height = 20 * (2 + max((one.depth for one in found), default=0))
    return f'<div class="flame" style="height: {height}px">{"".join(boxes)}</div>'


def _box(name: str, left: float, width: float, depth: int, color: str, tip: str, pair: str) -> str:
    return (
        f'<div style="left: {100 * left:.4f}%; width: {100 * width:.4f}%; top: {20 * depth}px; background: {color}" '
        f'data-l="{left:.7f}" data-w="{width:.7f}" data-d="{depth}"{f" data-p={pair!r}" if pair else ""} '
        f'title="{escape(tip or name)}">{escape(name)}</div>'
    )


def _color(one: Flame, row: Row | None, side: Side, *, both: bool) -> str:
    if both:
        if row is not None and row.state == "slower":
            return f"hsl(2 62% {60 - 24 * min(math.log2(max(row.ratio or 1.0, 1.0)) / 3, 1.0):.0f}%)"
        return _STATES.get(row.state, "#78909c") if row is not None else "#90a4ae"
    op = row.op if row is not None else side.skeleton.layers[one.path].kind if one.path in side.skeleton.layers else ""
    return f"hsl({zlib.crc32(op.encode()) % 360} 45% 42%)"


def _tip(one: Flame, row: Row | None) -> str:
    said = [f"{one.path} ({one.kind})", f"{words.time(one.length)}{f' in {one.calls} calls' * (one.calls > 1)}"]
    if row is not None and row.reference is not None and row.candidate is not None:
        said.append(f"candidate / reference {words.ratio(row.ratio)}, {row.state}")
    both = (row.reference, row.candidate) if row is not None else ()
    taken = next((found for found in both if found and one.path in found.paths), None)
    if taken is not None and taken.rate:
        said.append(f"{words.macs(taken.macs)} at {words.digits(taken.rate)} GFLOP/s")
    return "\n".join(said)


# --------------------------------------------------------------------------------------------------------------------
# Tables
# --------------------------------------------------------------------------------------------------------------------


def _table(profile: Profile, rows: Sequence[Row]) -> str:
    both = profile.candidate is not None
    names = ["layer", "kind", "reference ms", "candidate ms", "ratio", "lost ms", "of step"] if both else [
        "layer", "kind", "ms", "of step"]  # fmt: skip
    peaks = any(taken.peak is not None for row in rows for taken in (row.reference, row.candidate) if taken)
    names += ["GFLOP/s", "MMAC", *(["peak MB"] if peaks else [])]
    lines = ["<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"]
    for row in rows:
        ours, theirs = row.reference, row.candidate
        one = ours if ours is not None else theirs
        if one is None:
            continue
        paths = list(dict.fromkeys(taken.path for taken in (ours, theirs) if taken is not None))
        kinds = list(dict.fromkeys(taken.kind for taken in (ours, theirs) if taken is not None))
        name = " | ".join(paths) + (" (code)" if row.sort == "code" else "")
        times = [words.within(taken.whole) if taken is not None else "-" for taken in (ours, theirs)]
        numbers = [*times, words.ratio(row.ratio), words.milliseconds(row.lost)] if both else times[:1]
        rates = words.of_both([taken.rate if taken else None for taken in (ours, theirs)], both=both)
        memory = words.of_both([words.megabytes(taken) for taken in (ours, theirs)], both=both)
        numbers += [words.percent(row.share), rates, words.digits(one.macs / 1e6) if one.macs else "-", memory]
        numbers = numbers[: len(names) - 2]
        color = _STATES.get(row.state, "inherit") if row.state != "alike" else "inherit"
        cells = "".join(f'<td class="number">{escape(number)}</td>' for number in numbers)
        lines.append(f'<tr style="color: {color}"><td><code>{escape(name)}</code></td>'
                     f"<td>{escape(' | '.join(kinds))}</td>{cells}</tr>")  # fmt: skip
    return "<table>" + "".join(lines) + "</table>"
