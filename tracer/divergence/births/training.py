"""The rest of a training step: losses, gradients as the optimizer got them, the update, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from tracer.divergence.births.born import Birth, Fate
from tracer.divergence.births.forward import make_birth
from tracer.divergence.births.ledger import Ledger
from tracer.divergence.births.scene import Scene, odd, seen
from tracer.divergence.births.words import place as place_of
from tracer.trace.schema import Place, Step, Value
from tracer.trace.views import full_name


def walk_losses(scene: Scene, ledger: Ledger) -> None:
    """Losses that are not finite though what they were given is; others are reached."""
    for loss in scene.step.losses:
        tensors = [v for v in loss.inputs if v.kind == "tensor"]
        if odd(loss.value):
            if any(map(odd, tensors)) or _output_spoilt(scene):
                for number in range(len(ledger.births)):
                    if "output" in ledger.reached[number]:
                        ledger.reached[number]["loss"] = None
                continue
            given = tuple(seen(f"input {v.leaf}".rstrip(), v) for v in tensors) or _outputs(scene)
            number = ledger.born(_of_loss(scene, loss.index, "output", [loss.value], given), ())
            ledger.reached[number]["loss"] = None
        elif odd(loss.gradient) and loss.gradient is not None:
            ledger.born(_of_loss(scene, loss.index, "grad_output", [loss.gradient], (seen("loss", loss.value),)), ())


def _of_loss(scene: Scene, index: int, side: str, values: list[Value], given: tuple[object, ...]) -> Birth:
    loss = scene.step.losses[index] if index < len(scene.step.losses) else scene.step.losses[0]
    source = None if loss.source is None else str(loss.source)
    text = None if loss.source is None else loss.source.text
    return make_birth(
        scene, "loss", "loss", "(loss)", index, loss.kind, side, values, given=given, source=source, text=text
    )


def _output_spoilt(scene: Scene) -> bool:
    return any(scene.spoilt_keys(root, "output") for root in scene.graph.roots)


def _outputs(scene: Scene) -> tuple[object, ...]:
    return tuple(one for root in scene.graph.roots for one in scene.given(root, "output"))


def walk_update(scene: Scene, ledger: Ledger) -> None:
    """Gradients that the user's loop spoilt (unscaling, clipping, reduction), and parameters that the update did."""
    step = scene.step
    raw = [v for values in (step.parameter_gradients, *_parts(step)) for v in values.values()]
    spoilt = _first(step.update_gradients)
    if spoilt is not None and raw and not any(map(odd, raw)):
        place, value = spoilt
        given = [seen(f"gradient of {full_name(*place)}", step.parameter_gradients[place])] if (
            place in step.parameter_gradients
        ) else []  # fmt: skip
        birth = make_birth(
            scene, "gradients", "gradient", place[0], None, _kind(scene, place), "update_gradient", [value],
            leaf=place[1], given=tuple(given), passed_on=(),
        )  # fmt: skip
        number = ledger.born(birth, ())
        ledger.reached[number]["gradients"] = None
    after = _first(step.parameters_after)
    if after is None:
        return
    place, value = after
    started = any(odd(v) for v in step.parameters_before.values())
    if not started and spoilt is None and not any(map(odd, raw)):
        names = [("parameter", step.parameters_before), ("gradient", step.update_gradients)]
        given = [seen(f"{what} {full_name(*place)}", values[place]) for what, values in names if place in values]
        given += [
            seen(f"state {key} before", state)
            for (path, name, key), state in step.state_before.items()
            if (path, name) == place
        ]
        settings = step.optimizer.kind if step.optimizer is not None else ""
        buffer = place not in step.update_gradients
        if buffer and ledger.births:  # moving statistics take what the forward pass was given
            for number in range(len(ledger.births)):
                ledger.reached[number]["parameters"] = None
            return
        birth = make_birth(
            scene, "update", "parameter", place[0], None, settings or _kind(scene, place), "parameter", [value],
            leaf=place[1], given=tuple(given),
        )  # fmt: skip
        number = ledger.born(birth, ())
        ledger.reached[number]["parameters"] = None
        return
    for number in range(len(ledger.births)):
        if not started and (ledger.reached[number] or not ledger.healed_by[number]):
            ledger.reached[number]["parameters"] = None


def fate(scene: Scene, births: Iterable[Birth], inherited: bool) -> Fate | None:
    """What became of a training step with numbers that are not finite; None where nothing is to be said."""
    step = scene.step
    if not step.keep:
        return None
    if step.keep == "curve":
        return _unseen(step)
    scale = step.measures.scale
    if scale is None:
        scales = [loss.gradient.statistics for loss in step.losses if loss.gradient is not None]
        scale = next((s.maximum for s in scales if s is not None and s.maximum is not None), None)
    gradients = [step.parameter_gradients, *_parts(step), step.update_gradients]
    bad = next((found for found in map(_first, gradients) if found is not None), None)
    where = _born_words(births)
    if bad is not None and step.updates == 0:
        name = full_name(*bad[0])
        if scale is not None and scale != 1:
            said = f"skipped by loss scaling: overflow at scale {scale:g}{where}; first in the gradient of {name}"
            return Fate(step.number, "skipped", said, scale, name)
        said = f"its gradients are not finite{where} and the optimizer did not update; first that of {name}"
        return Fate(step.number, "not updated", said, scale, name)
    after = _first(step.parameters_after)
    if after is None or inherited or any(map(odd, step.parameters_before.values())):
        return None
    name = full_name(*after[0])
    count = sum(map(odd, step.parameters_after.values()))
    rest = f" and {count - 1} more" if count > 1 else ""
    said = f"the update poisoned the parameters{where}: {name}{rest} not finite after it, and so every step after it"
    return Fate(step.number, "poisoned", said, scale, name)


def _unseen(step: Step) -> Fate | None:
    measures = step.measures
    names = [("loss", measures.loss), ("gradient norm", measures.gradient_norm), ("update norm", measures.update_norm)]
    bad = [name for name, value in names if value is not None and not math.isfinite(value)]
    if not bad:
        return None
    said = f"its {' and '.join(bad)} {'is' if len(bad) == 1 else 'are'} not finite; only its measures were kept"
    return Fate(step.number, "unseen", said, measures.scale)


def _born_words(births: Iterable[Birth]) -> str:
    first = next((birth for birth in births if not birth.healed), None)
    if first is None:
        return ""
    return f", born {place_of(first)} ({first.phase})"


def _kind(scene: Scene, place: Place) -> str:
    layer = scene.skeleton.layers.get(place[0])
    return layer.kind if layer is not None else ""


def _parts(step: Step) -> list[Mapping[Place, Value]]:
    most = max(map(len, step.gradient_parts.values()), default=0)
    return [{place: v[n] for place, v in step.gradient_parts.items() if n < len(v)} for n in range(most)]


def _first(values: Mapping[Place, Value]) -> tuple[Place, Value] | None:
    return next(((place, value) for place, value in values.items() if odd(value)), None)
