"""A profile in a terminal: the answer first, then tables of layers and blocks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from tracer.profiling.beside import Kind, Profile
from tracer.profiling.measured import Spread, apart, spread
from tracer.profiling.rows import Row
from tracer.reports import profile_words as words
from tracer.reports.terminal_page import PLAIN_WIDTH, Page, block, cell, to_string, wrap

TABLES = ("layer", "block", "kind")
_STATE = {"slower": "red", "faster": "green", "candidate only": "red", "reference only": "cyan"}
_LEAST = 22
"""Columns that paths keep; for them the last columns of a table give way."""


def profile_text(
    profile: Profile,
    *,
    width: int = PLAIN_WIDTH,
    encoding: str = "utf-8",
    top: int = 20,
    by: Sequence[str] = ("layer", "block"),
) -> str:
    """What `tracer profile` prints, as plain text."""
    return to_string(profile_lines(profile, Page(width, encoding, str(Path.cwd())), top=top, by=by))


def profile_lines(profile: Profile, page: Page, *, top: int = 20, by: Sequence[str] = ("layer", "block")) -> list[Text]:
    """The answer, the step in its parts, the tables that are asked for, and notes."""
    out = [*_head(profile, page), Text(), *_steps(profile, page), Text(), *_answer(profile, page)]
    if "layer" in by:
        out += _layers(profile, page, top)
    if "kind" in by:
        out += _kinds(profile, page, top)
    if "block" in by:
        out += _blocks(profile, page, top)
    if by:
        out += [Text(), *_quiet(words.legend(profile), page)]
    said = words.notes(profile)
    out += [Text()] * bool(said)
    for note in said:
        out += block("note", page.near(note), page, "dim", "dim")
    return out


def _head(profile: Profile, page: Page) -> list[Text]:
    told = profile.candidate is None or profile.ratio is None or profile.alike
    style = "bold" if told else "bold red" if (profile.ratio or 0.0) > 1 else "bold green"
    out = [Text(line, style) for line in _wrapped(words.summary(profile), page, 0)]
    sides = [("trace", profile.reference)] if profile.candidate is None else [
        ("reference", profile.reference), ("candidate", profile.candidate)]  # fmt: skip
    for word, side in sides:
        name, facts = words.side(side)
        out += block(word, f"{page.near(name)}   {facts}", page, "", "dim")
    for said in words.beforehand(profile):
        out += block("note", said, page, "yellow", "bold yellow")
    return out


def _answer(profile: Profile, page: Page) -> list[Text]:
    label = "loses most" if profile.candidate is not None else "takes most"
    out: list[Text] = []
    for name, said, style in (
        (label, words.most(profile), "bold"),
        ("of a kind", words.kind_most(profile), ""),
        ("slow", words.slow(profile), "yellow"),
        ("in all", words.balance(profile), ""),
        ("explained", words.explained(profile), ""),
        ("overlap", words.overlapping(profile), ""),
        ("memory", words.memory(profile), ""),
    ):
        if said:
            out += block(name, said, page, style)
    for said, names in words.alone(profile):
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        out += block("alone", said + shown, page)
    return out


# --------------------------------------------------------------------------------------------------------------------
# Tables
# --------------------------------------------------------------------------------------------------------------------


def _steps(profile: Profile, page: Page) -> list[Text]:
    """The step, its phases and its parts, with what they vary by."""
    both = profile.candidate is not None
    rows: list[tuple[str, Spread | None, Spread | None, bool]] = [("step", *profile.steps, not profile.alike)]
    for phase in profile.phases:
        if phase in {"forward", "backward"}:
            ours = spread(profile.reference.measured.phases[phase])
            theirs = spread(profile.candidate.measured.phases[phase]) if profile.candidate else None
            rows.append((phase, ours, theirs, bool(ours and theirs and apart(ours, theirs))))
    rows += [(words.SHARES[part.name], part.reference, part.candidate, part.beyond) for part in profile.shares
             if part.reference or part.candidate]  # fmt: skip
    head = ("ms", "reference", "candidate", "ratio", "lost") if both else ("ms", "median (spread)", "", "", "of step")
    lines = [head]
    for name, ours, theirs, beyond in rows:
        if both:
            lost = theirs.median - ours.median if ours and theirs else None
            quotient = (
                theirs.median / ours.median if ours and theirs and ours.median > 0 and name != "the rest" else None
            )
            sign = "" if beyond or quotient is None else "~"
            lines.append((name, words.within(ours), words.within(theirs), sign + words.ratio(quotient),
                          words.milliseconds(lost)))  # fmt: skip
        else:
            lines.append((name, words.within(ours), "", "", words.part_of(ours, profile.wholes[0])))
    return _table([list(line) for line in lines], page, ["" for _ in lines], indents=[0] * len(lines))


def _layers(profile: Profile, page: Page, top: int) -> list[Text]:
    rows = profile.rows[:top]
    title = f"by layer, and the code around layers ({len(rows)} of {len(profile.rows)})"
    return _rows(title, rows, profile, page, [0] * len(rows))


def _blocks(profile: Profile, page: Page, top: int) -> list[Text]:
    told = sorted(profile.blocks, key=_weight, reverse=True)[:top]
    chosen = {id(row) for row in told}
    rows = [row for row in profile.blocks if id(row) in chosen]
    title = f"by block, with all inside it ({len(rows)} of {len(profile.blocks)})"
    return _rows(title, rows, profile, page, [2 * row.depth for row in rows]) if rows else []


def _weight(row: Row) -> float:
    if row.lost is not None:
        return abs(row.lost)
    return row.reference.whole.median if row.reference and row.reference.whole else 0.0


def _rows(title: str, rows: Sequence[Row], profile: Profile, page: Page, indents: Sequence[int]) -> list[Text]:
    both = profile.candidate is not None
    two = [row.reference is not None and row.candidate is not None and row.reference.path != row.candidate.path
           for row in rows]  # fmt: skip
    peaks = any(taken.peak is not None for row in rows for taken in (row.reference, row.candidate) if taken)
    more = ["GFLOP/s", "MMAC", *(["peak MB"] if peaks else [])]
    lines, styles = [[*_title("path", both=both), *more]], ["dim"]
    for row, named_twice in zip(rows, two, strict=True):
        ours, theirs = row.reference, row.candidate
        times = [taken.whole.median if taken is not None and taken.whole is not None else None
                 for taken in (ours, theirs)]  # fmt: skip
        one = ours if ours is not None else theirs
        work = words.digits(one.macs / 1e6) if one is not None and one.macs is not None else "-"
        rates = words.of_both([taken.rate if taken else None for taken in (ours, theirs)], both=both)
        memory = words.of_both([words.megabytes(taken) for taken in (ours, theirs)], both=both)
        found = [*_line(words.label(row), times, row, both=both), rates, work, memory]
        lines.append(found[: len(lines[0])])
        styles.append(_STATE.get(row.state, ""))
        if theirs is not None and named_twice:
            lines.append([f"  | {theirs.path}", *[""] * (len(lines[0]) - 1)])
            styles.append("dim")
    spaces = [0]
    for indent, named_twice in zip(indents, two, strict=True):
        spaces += [indent] * (1 + named_twice)
    return _titled(title, lines, page, styles, spaces)


def _titled(
    title: str, lines: Sequence[Sequence[str]], page: Page, styles: Sequence[str], indents: Sequence[int]
) -> list[Text]:
    return [Text(), Text(f"  {page.fit(title, page.width - 2)}", "bold"), *_table(lines, page, styles, indents)]


def _kinds(profile: Profile, page: Page, top: int) -> list[Text]:
    both = profile.candidate is not None
    kinds = profile.kinds[:top]
    lines, styles = [_title("op", both=both)], ["dim"]
    for kind in kinds:
        times = [found.median if found is not None else None for found in (kind.reference, kind.candidate)]
        calls = f"{kind.calls[0]}" if not both or kind.calls[0] == kind.calls[1] else f"{kind.calls[0]}|{kind.calls[1]}"
        lines.append(_line(f"{kind.op} x{calls}", times, kind, both=both))
        styles.append(_STATE.get(kind.state, ""))
    return _titled(f"by kind ({len(kinds)} of {len(profile.kinds)})", lines, page, styles, [0] * len(lines))


def _title(name: str, *, both: bool) -> list[str]:
    return [name, *(["ref ms", "cand ms", "ratio", "lost ms", "of step"] if both else ["ms", "of step"])]


def _line(name: str, times: Sequence[float | None], row: Row | Kind, *, both: bool) -> list[str]:
    share = words.percent(row.share)
    if not both:
        return [name, words.milliseconds(times[0]), share]
    sign = "~" if row.state == "alike" else ""
    shown = "only" if row.state.endswith("only") else sign + words.ratio(row.ratio)
    return [name, *map(words.milliseconds, times), shown, words.milliseconds(row.lost), share]


def _table(lines: Sequence[Sequence[str]], page: Page, styles: Sequence[str], indents: Sequence[int]) -> list[Text]:
    """Columns of which the first gives way; where the page is narrow the last ones are left out."""
    columns = len(lines[0])
    widths = [max(cell_len(line[n]) for line in lines if n < len(line)) for n in range(1, columns)]
    longest = max(cell_len(line[0]) + indent for line, indent in zip(lines, indents, strict=True))
    while widths and page.width - 2 - sum(width + 2 for width in widths) < min(longest, _LEAST):
        widths.pop()
    name = min(longest, page.width - 2 - sum(width + 2 for width in widths))
    out = []
    for line, style, indent in zip(lines, styles, indents, strict=True):
        lead = " " * min(indent, max(name - cell_len(line[0]), name // 3))
        text = Text("  ")
        text.append(cell(page.fit(lead + line[0], name), name), style)
        for value, width in zip(line[1:], widths, strict=False):
            text.append("  " + " " * (width - cell_len(value)) + value, style)
        text.rstrip()
        out.append(text)
    return out


def _quiet(text: str, page: Page) -> list[Text]:
    return [Text(f"  {line}", "dim") for line in _wrapped(text, page, 2)]


def _wrapped(text: str, page: Page, indent: int) -> list[str]:
    return wrap(page.clean(text), page.width - indent)
