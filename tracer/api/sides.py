"""The two sides of a check and their samples, from what the user gave."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tracer.api.arguments import arguments_of, given_words
from tracer.api.starting_points import by_map
from tracer.errors import RuleError, TracerError
from tracer.starting_point import holders
from tracer.starting_point.checks.sides import LiveSide, ProcessSide, Side
from tracer.starting_point.checks.targets import read_target
from tracer.starting_point.samples.sources import Samples, samples_from
from tracer.starting_point.weights.weight_map import WeightMap
from tracer.trace.reader import Trace


def sides_of(reference: Any, candidate: Any, *, processes: bool, needs_samples: bool) -> tuple[Side, Side]:
    """Both nets, live or as targets.

    Raises:
        RuleError: a net where a target is wanted or the other way round, or nets without inputs.
    """
    sides: list[Side] = []
    for word, given in (("reference", reference), ("candidate", candidate)):
        if not processes:
            if isinstance(given, str | os.PathLike):
                then = "give the nets themselves, or say processes=True"
                raise RuleError(f"the {word} is named, not given", where=given_words(given), then=then)
            sides.append(LiveSide(given, word))
            continue
        if not isinstance(given, str | os.PathLike):
            then = 'name what makes it: "my_models:torch_vit", or leave processes=True out'
            raise RuleError(f"the {word} cannot go to another process", where=given_words(given), then=then)
        target = read_target(os.fspath(given))
        if needs_samples and not target.is_script:
            raise _no_inputs()
        sides.append(ProcessSide(target, word))
    if needs_samples and not processes:
        raise _no_inputs()
    return sides[0], sides[1]


def _no_inputs() -> RuleError:
    then = 'give inputs, as tracer.inputs("8x3x224x224:float32") draws them; in a terminal --input 8x3x224x224:float32'
    return RuleError("the nets are given nothing to run on", where="inputs", then=then)


def samples_of(inputs: Any) -> tuple[list[Samples | None], tuple[str, ...]]:
    """What both nets are given, one after the other, and what was assumed; [None] where nothing was given.

    Raises:
        TracerError: a file or folder that holds no samples.
    """
    if inputs is None:
        return [None], ()
    if isinstance(inputs, str | os.PathLike | Trace):
        _check_path(inputs)
        found = samples_from(inputs)
        name = inputs.path.name if isinstance(inputs, Trace) else Path(inputs).name
        return [found], (f"inputs from {name}: {_words(found)}", *found.notes)
    if isinstance(inputs, list) and not inputs:
        then = 'give at least one, as tracer.inputs("8x3x224x224:float32", samples=3) draws them'
        raise RuleError("the list of samples is empty", where="inputs=[]", then=then)
    if isinstance(inputs, list) and all(_is_sample(item) for item in inputs):
        found_all: list[Samples | None] = [_one(item) for item in inputs]
        kinds = list(dict.fromkeys(_words(_one(item)) for item in inputs))
        told = "; ".join(kinds[:4]) + (f" and {len(kinds) - 4} more shapes" if len(kinds) > 4 else "")
        return found_all, (f"{len(inputs)} sample{'s' * (len(inputs) > 1)} of {told}",)
    sample = _one(inputs)
    return [sample], (f"inputs {_words(sample)}",)


def _check_path(inputs: Any) -> None:
    """A description where a path is wanted would be looked for as a file."""
    if isinstance(inputs, str) and ":" in inputs and not Path(inputs).exists():
        then = f"draw them: inputs=tracer.inputs({inputs!r}); or check the path"
        raise RuleError("inputs= is a text, and no file of that name is there", where=repr(inputs)[:80], then=then)


def _words(samples: Samples) -> str:
    """What a net is given, short: dtype and shape of each argument."""
    given = [("", value) for value in samples.args] + [(f"{name} ", value) for name, value in samples.kwargs.items()]
    words = [name + _argument(value) for name, value in given]
    return ", ".join(words[:4]) + (f" and {len(words) - 4} more" if len(words) > 4 else "")


def _argument(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if not isinstance(shape, tuple) or dtype is None:
        plain = isinstance(value, bool | int | float | str | None)
        return repr(value)[:20] if plain else f"a {type(value).__name__}"
    axes = "x".join(map(str, shape)) or "scalar"
    return f"{axes} {str(dtype).rpartition('.')[2].lower()}"


def _is_sample(value: Any) -> bool:
    """An array, tensor, tuple or mapping; a number or a list of numbers is a part of one argument."""
    return isinstance(value, tuple | Mapping | np.ndarray) or hasattr(value, "shape")


def _one(inputs: Any) -> Samples:
    args, kwargs = arguments_of(inputs)
    return Samples(args, kwargs)


def weights_by_map(reference: Any, candidate: Any, mapping: Any) -> WeightMap:
    """The map that the user gave, held against both nets."""
    return by_map(holders.of_net(reference), holders.of_net(candidate), mapping)


def folder_of(out: Any) -> Path:
    """A folder for traces, made where it is not there.

    Raises:
        RuleError: it is no path.
        TracerError: it cannot be made.
    """
    if not isinstance(out, str | os.PathLike):
        raise RuleError("out= names no folder", where=given_words(out), then='give a path, as out="traces"')
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"the folder for the traces cannot be made ({error.strerror or error})"
        raise TracerError(what, where=str(folder), then="name another folder") from error
    return folder.absolute()
