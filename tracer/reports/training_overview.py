"""What a trace holds of a training: plain rows for `tracer show`, made from the skeleton alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from tracer.reports.wording import compact, plural
from tracer.trace.schema import ROOT, Group, LossTaken, Optimizer, Plain, Skeleton, Source, Step

_NUMBERS = ("loss", "grad L2", "param L2", "update L2", "rate", "scale", "seconds")


@dataclass(frozen=True)
class StepLine:
    """One step in numbers, as they are shown: the mean loss, L2 of gradients, of parameters and of their change, the
    learning rate, what the loss was scaled by. `remarks` are what went otherwise than it should."""

    step: int
    kept: str
    numbers: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """What `tracer show` prints of a training."""

    facts: tuple[tuple[str, str], ...]
    lines: tuple[StepLine, ...] = ()

    @property
    def columns(self) -> list[str]:
        """The numbers that any step has, in order."""
        return [name for name in _NUMBERS if any(name in line.numbers for line in self.lines)]

    @property
    def kept_differs(self) -> bool:
        """Is of some steps more kept than of others?"""
        return len({line.kept for line in self.lines}) > 1


def trains(skeleton: Skeleton) -> bool:
    """Does a trace hold training steps?"""
    return any(step.keep for step in skeleton.steps)


def first_step(skeleton: Skeleton) -> int:
    """The step that is shown where none is named: the first whose calls are kept."""
    kept = [step.number for step in skeleton.steps if step.calls] or [step.number for step in skeleton.steps]
    return kept[0] if kept else 0


def training(skeleton: Skeleton, *, file: str = "FILE") -> Training:
    """All steps of a trace: which are kept, the optimizer, the losses, each in numbers.

    Args:
        skeleton: of one trace.
        file: how the trace is called in the command that shows more.
    """
    steps = [step for step in skeleton.steps if step.keep]
    full = [step for step in steps if step.keep != "curve"]
    facts = [
        ("steps", _kept(steps)),
        ("sampling", ", ".join(f"{key} {_word(value)}" for key, value in skeleton.header.sampling.items())),
        *_optimizer_facts(next((step.optimizer for step in full if step.optimizer is not None), None)),
        *_loss_facts(full),
        *_state_facts(full),
        ("one step", f"tracer show {file} --step {first_step(skeleton)}"),
    ]
    return Training(tuple(fact for fact in facts if fact[1]), tuple(_line(step) for step in steps))


def measures(step: Step) -> dict[str, Any]:
    """A step for a program: what is kept of it, its numbers and losses, its optimizer with settings and groups."""
    return {
        "step": step.number,
        "keep": step.keep,
        "updates": step.updates,
        "ended": step.ended,
        "failed": step.failed,
        **{each.name: getattr(step.measures, each.name) for each in fields(step.measures)},
        "losses": [
            {
                "value": loss.value.statistics.mean if loss.value.statistics is not None else None,
                "kind": loss.kind,
                "settings": dict(loss.settings),
            }
            for loss in step.losses
        ],
        "optimizer": None
        if step.optimizer is None
        else {
            "kind": step.optimizer.kind,
            "settings": dict(step.optimizer.settings),
            "groups": [
                {"settings": dict(group.settings), "parameters": _full_names(group)} for group in step.optimizer.groups
            ],
        },
    }


def one_step(step: Step) -> Training:
    """One step: its numbers, its losses, its optimizer, what was remembered."""
    m = step.measures
    norms = {"gradients": m.gradient_norm, "parameters": m.parameter_norm, "update": m.update_norm}
    said = [f"{name} {compact(value)}" for name, value in norms.items() if value is not None]
    facts = [
        *(_loss(loss, len(step.losses)) for loss in step.losses),
        ("loss", f"{m.loss:.7g}" if m.loss is not None and not step.losses else ""),
        ("norms", ", ".join(said)),
        ("kept", "these numbers; its calls were not recorded" if step.keep == "curve" else ""),
        *_optimizer_facts(step.optimizer),
        *_state_facts([step]),
        *(("!!", remark) for remark in _remarks(step)),
    ]
    return Training(tuple(fact for fact in facts if fact[1]))


def _kept(steps: Sequence[Step]) -> str:
    counts: dict[str, int] = {}
    for step in steps:
        counts[step.keep] = counts.get(step.keep, 0) + 1
    words = {"values": "with values", "statistics": "as statistics", "curve": "as numbers only"}
    parts = [f"{count} {words.get(keep, keep)}" for keep, count in counts.items()]
    numbers = [step.number for step in steps]
    which = f", from {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else f", number {numbers[0]}" if numbers else ""
    return f"{plural(len(steps), 'step')}{which}: {', '.join(parts)}"


def _optimizer_facts(optimizer: Optimizer | None) -> Iterator[tuple[str, str]]:
    if optimizer is None:
        return
    shared = {key: value for key, value in optimizer.settings.items() if not isinstance(value, dict | list)}
    groups = optimizer.groups
    common = {
        key: value
        for key, value in (groups[0].settings if groups else {}).items()
        if all(group.settings.get(key, ...) == value for group in groups)
    }
    said = ", ".join(f"{key} {_word(value)}" for key, value in {**shared, **common}.items())
    yield "optimizer", optimizer.kind + (f": {said}" if said else "") + _at(optimizer.source)
    for number, group in enumerate(groups):
        own = ", ".join(f"{key} {_word(value)}" for key, value in group.settings.items() if key not in common)
        yield f"group {number}", "; ".join(part for part in (_members(group), own) if part)


def _members(group: Group) -> str:
    names = _full_names(group)
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    lone = f", {plural(group.strangers, 'parameter')} of no layer of the net" if group.strangers else ""
    return f"{plural(len(names), 'parameter')}{': ' + shown if shown else ''}{lone}"


def _full_names(group: Group) -> list[str]:
    return [name if path == ROOT else f"{path}.{name}" for path, name in group.parameters]


def _loss_facts(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """What made the losses, once for all steps."""
    seen = dict.fromkeys((loss.kind, _settings(loss.settings)) for step in steps for loss in step.losses)
    each = {len(step.losses) for step in steps if step.losses}
    many = f"; {max(each)} in a step" if each and max(each) > 1 else ""
    for kind, settings in seen:
        yield "loss", (kind or "made by nothing that was seen") + (f": {settings}" if settings else "") + many


def _loss(loss: LossTaken, count: int) -> tuple[str, str]:
    found = loss.value.statistics
    value = f"{found.mean:.7g}" if found is not None and found.mean is not None else "not finite"
    if found is not None and found.count > 1:
        value += f" (mean of {found.count} elements)"
    back = loss.gradient.statistics.mean if loss.gradient is not None and loss.gradient.statistics is not None else None
    parts = [
        value,
        f"by {loss.kind}" if loss.kind else "",
        _settings(loss.settings),
        f"sent back {back:.6g}" if back is not None else "nothing was sent back",
    ]
    return ("loss" if count == 1 else f"loss {loss.index}"), ", ".join(part for part in parts if part)


def _settings(settings: Mapping[str, Plain]) -> str:
    return ", ".join(f"{key} {_word(value)}" for key, value in settings.items())


def _state_facts(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """What the optimizer remembers, and whether it remembered anything when the first step began."""
    with_state = next((step for step in steps if step.state_after), None)
    if with_state is None:
        return
    keys = dict.fromkeys(key for _, _, key in with_state.state_after)
    of = {(path, name) for path, name, _ in with_state.state_after if path or name}
    before = "; before it too" if with_state.state_before else "; nothing before it"
    said = ", ".join(keys) + (f" of {plural(len(of), 'parameter')}" if of else "")
    yield "remembers", f"{said} after step {with_state.number}{before}"


def _line(step: Step) -> StepLine:
    m = step.measures
    rates = list(dict.fromkeys(m.learning_rates))
    found = {
        "loss": m.loss,
        "grad L2": m.gradient_norm,
        "param L2": m.parameter_norm,
        "update L2": m.update_norm,
        "rate": rates[0] if len(rates) == 1 else None,
        "scale": m.scale if m.scale not in {None, 1.0} else None,
        "seconds": m.seconds,
    }
    numbers = {name: compact(value) for name, value in found.items() if value is not None}
    if m.loss is not None:
        numbers["loss"] = f"{m.loss:#.6g}".rstrip(".")
    if len(rates) > 1:
        numbers["rate"] = f"{len(rates)} rates"
    return StepLine(step.number, step.keep, numbers, tuple(_remarks(step)))


def _remarks(step: Step) -> Iterator[str]:
    if step.failed:
        yield f"raised: {step.failed.splitlines()[0]}"
    if not step.ended:
        yield "cut off"
    elif not step.failed and step.updates == 0 and step.keep and step.losses:
        yield "no update: the optimizer was not called, or the step was skipped"
    elif step.updates > 1:
        yield f"{step.updates} updates: gradients and settings are those of the first"


def _at(source: Source | None) -> str:
    return f"   {source}" if source is not None else ""


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return "(" + ", ".join(_word(item) for item in value) + ")"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{key} {_word(item)}" for key, item in value.items()) + ")"
    return str(value)
