"""Points of many names become the curves of one side: steps are numbered, names become measures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tracer.curves.measures import PARAMETER_NORM, UPDATE_NORM, UPDATE_RATIO, assigned
from tracer.curves.series import Curves, Points, Precision, Series


@dataclass(frozen=True, slots=True)
class Ask:
    """What the user says about how one side is to be read. `columns` are names by measure ("step" among them); where
    `insists` is False they were said of the other side, and hold here where there are such names."""

    pattern: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    epoch_steps: int | None = None
    insists: bool = True


@dataclass(slots=True)
class Gathered:
    """Rows as they are read: each has a step, perhaps an epoch with its length, and numbers as text by name."""

    names: dict[str, Points] = field(default_factory=dict)
    rows: list[tuple[int | None, int | None]] = field(default_factory=list)
    lengths: set[int] = field(default_factory=set)

    def row(self, numbers: Mapping[str, str], step: int | None, epoch: int | None, length: int | None = None) -> bool:
        """Take a row; False where none of its texts is a number."""
        at = len(self.rows)
        good = False
        for name, text in numbers.items():
            points = self.names.get(name) or Points(name)
            try:
                points.add(at, text)
            except ValueError:
                continue
            good = True
            self.names[name] = points
        if good:
            self.rows.append((step, epoch))
            if length:
                self.lengths.add(length)
        return good

    def curves(self, source: str, kind: str, ask: Ask, notes: Sequence[str] = (), *, exact: bool = False) -> Curves:
        """All of it as curves."""
        steps, said, guessed = _numbered(self.rows, ask.epoch_steps, self.lengths)
        measures = assigned({name: len(points.values) for name, points in self.names.items()}, ask.columns)
        series: dict[str, Series] = {}
        twice = 0
        for name, points in self.names.items():
            found, again = points.series(measures[name], [steps[at] for at in points.steps], exact=exact)
            series[found.measure] = found
            twice = max(twice, again)
        if twice:
            said.append(f"{twice} step{'s' * (twice > 1)} stand more than once (a run that was taken up again?); "
                        "the last counts")  # fmt: skip
        counted = all(step is None for step, _ in self.rows)
        return Curves(source, kind, with_ratio(series), (*notes, *said), guessed, counted)


def with_ratio(series: Mapping[str, Series]) -> dict[str, Series]:
    """With the update ratio, where norms of updates and of parameters are known and it is not."""
    found = dict(series)
    if UPDATE_RATIO in found or UPDATE_NORM not in found or PARAMETER_NORM not in found:
        return found
    updates, norms = found[UPDATE_NORM], found[PARAMETER_NORM]
    of = dict(zip(norms.steps, norms.values, strict=True))
    points = [(s, v / of[s]) for s, v in zip(updates.steps, updates.values, strict=True) if of.get(s)]
    if points:
        steps, values = zip(*points, strict=True)
        digits = [p.digits for p in (updates.precision, norms.precision) if p.digits is not None]
        precision = Precision(None, min(digits) if digits else None)
        found[UPDATE_RATIO] = Series(UPDATE_RATIO, f"{updates.name} / {norms.name}", steps, values, precision)
        del found[UPDATE_NORM]
    return found


def _numbered(
    rows: Sequence[tuple[int | None, int | None]], wanted: int | None, lengths: set[int]
) -> tuple[list[int], list[str], int | None]:
    """The step of each row, what is to be said of it, and the length of an epoch where it was guessed."""
    if all(step is None for step, _ in rows):
        return list(range(len(rows))), ["no step is named: points are counted from 0"], None
    steps: list[int] = []
    for step, _ in rows:  # a row without a step stands at the one before it
        steps.append(step if step is not None else steps[-1] if steps else 0)
    epochs = [epoch for _, epoch in rows]
    restarts = any(
        before is not None and after is not None and after > before and later <= earlier
        for before, after, earlier, later in zip(epochs[:-1], epochs[1:], steps[:-1], steps[1:], strict=True)
    )
    if not restarts and not (wanted and any(epochs)):
        return steps, [], None
    if wanted is None and len(lengths) == 1:
        wanted = next(iter(lengths))
    length = wanted or max(steps)
    whole = set(range(min(steps), length + 1)) <= set(steps)  # each step was printed: none can lie beyond the last
    first = next(epoch for epoch in epochs if epoch is not None)
    counted = [
        step if epoch is None else (epoch - first) * length + step for step, epoch in zip(steps, epochs, strict=True)
    ]
    said = f"steps begin anew in each epoch and are counted through, {length} in an epoch"
    return counted, [said], None if wanted or whole else length
