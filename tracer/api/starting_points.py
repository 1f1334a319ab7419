"""The verbs that bring two nets to one starting point: their weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tracer.api.arguments import Pins, given_words, pairs_of, rules_of
from tracer.divergence.metrics import Tolerance
from tracer.errors import RuleError
from tracer.starting_point import holders
from tracer.starting_point.weights.map_file import map_of, read_map
from tracer.starting_point.weights.placing import map_weights
from tracer.starting_point.weights.weight_map import WeightMap

if TYPE_CHECKING:
    from tracer.divergence.rules import UserRule
    from tracer.reports.weights import MapReport, ParametersReport, WeightsReport

Source = Any
"""A live net, a `Trace`, the path of a trace or of a file of parameters, or a mapping of names to arrays."""

MapSource = Any
"""The path of a map, its lines as a mapping, what `weight_map` returned, or a `WeightMap` (`.weights.inverse()`)."""


def weight_map(
    reference: Source,
    candidate: Source,
    *,
    pins: Pins = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
    part: str | None = None,
) -> MapReport:
    """Say which parameter of the candidate is made of which of the reference; nothing is run and nothing changed.

    Args:
        reference: where the numbers come from: a net, a trace, a file of parameters, a mapping.
        candidate: where they go to.
        pins: pairs that belong together, of layers by path or of parameters by name, the reference's first.
        rules: your own layers in common words, or the TOML file that has them.
        part: which part of a nested reference file.

    Returns:
        The map; `save("map.toml")` writes it to be read and edited.

    Raises:
        TracerError: a side cannot be opened, or a pin or rule does not hold.
    """
    from tracer.reports.weights import MapReport

    with holders.opened(reference, part=part) as ours, holders.opened(candidate) as theirs:
        return MapReport(_mapped(ours, theirs, pins, rules), ours.name, theirs.name)


def load_weights(
    net: Any,
    source: Source,
    *,
    mapping: MapSource | None = None,
    pins: Pins = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
    part: str | None = None,
    partial: bool = False,
    cast: bool = False,
) -> WeightsReport:
    """Put the weights of `source` into a live net, all of them or none, and prove it by reading them back.

    Args:
        net: a `torch.nn.Module` or a `mindspore.nn.Cell`; its parameters and buffers are written to in place.
        source: a net of the other framework (or of the same), a trace, .pth, .safetensors, .ckpt, .npz, a mapping.
        mapping: a map, instead of the alignment.
        pins: pairs that belong together, of layers by path or of parameters by name, the source's first.
        rules: your own layers in common words, or the TOML file that has them.
        part: which part of a nested file ("model_ema").
        partial: go on where parameters that matter have no partner, and say which.
        cast: allow dtypes that lose digits.

    Raises:
        TracerError: something has no place, or does not fit; the net is as it was.
    """
    from tracer.reports.weights import WeightsReport
    from tracer.starting_point.weights.loading import fill

    if not holders.is_net(net):
        then = "give the net, then the source"
        raise RuleError("weights are loaded into a live net", where=given_words(net), then=then)
    with holders.opened(source, part=part) as ours:
        theirs = holders.of_net(net)
        weights = _mapped(ours, theirs, pins, rules, mapping)
        return WeightsReport(fill(net, ours, weights, partial=partial, cast=cast))


def convert_weights(
    source: Source,
    target: str | os.PathLike[str],
    *,
    reference: Source | None = None,
    candidate: Source | None = None,
    mapping: MapSource | None = None,
    pins: Pins = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
    part: str | None = None,
    prefix: str = "",
    rename: Mapping[str, str] | Callable[[str], str] | None = None,
    dtype: str | None = None,
    partial: bool = False,
    cast: bool = False,
) -> WeightsReport:
    """Write the weights of `source` as another net wants them, tensor by tensor, into a file of any format.

    Args:
        source: a file of parameters (.pth, .safetensors, .ckpt, .npz), or whatever else holds some.
        target: the file; its suffix says the format. It is replaced only when the new one is whole.
        reference: the net that the source was saved from, or a trace of it: it tells what its layers are.
        candidate: the net that will load the target, or a trace of it; without it and without a map names and shapes
            stay as they are.
        mapping: a map, instead of the alignment.
        pins: pairs that belong together, the source's first.
        rules: your own layers in common words, or the TOML file that has them.
        part: which part of a nested file ("model_ema").
        prefix: what is put before every name that is written.
        rename: other names for some of those that are written, or a function of the name.
        dtype: write all floats in this dtype ("float16").
        partial: go on where parameters that matter have no partner.
        cast: allow dtypes that lose digits, where the candidate has others than the source.

    Raises:
        TracerError: something has no place or does not fit, or a file cannot be read or written; a target that was
            there is as it was.
    """
    from tracer.reports.weights import WeightsReport
    from tracer.starting_point.weights import converting
    from tracer.starting_point.weights.loading import refuse_unplaced

    with ExitStack() as stack:
        ours = stack.enter_context(holders.opened(source, part=part))
        if reference is not None:
            ours = holders.of_its_net(ours, stack.enter_context(holders.opened(reference)))
        theirs = stack.enter_context(holders.opened(candidate)) if candidate is not None else None
        if theirs is None:
            _refuse_unheard(pins, rules, "without candidate= nothing is paired")
            weights = converting.unchanged(ours) if mapping is None else by_map(ours, None, mapping)
            if reference is not None:
                weights = replace(weights, notes=(*weights.notes, _CHECKED))
        else:
            weights = _mapped(ours, theirs, pins, rules, mapping)
        weights = converting.without_tables(weights, ours)
        if not partial:
            refuse_unplaced(weights, ours.name, theirs.name if theirs else Path(target).name)
        done = converting.write(
            Path(target), ours, weights, candidate=theirs, prefix=prefix, rename=rename, dtype=dtype, cast=cast
        )
    return WeightsReport(done)


_CHECKED = "the source was checked against reference=: it has all parameters of that net that matter, in its shapes"


def compare_weights(
    reference: Source,
    candidate: Source,
    *,
    mapping: MapSource | None = None,
    pins: Pins = (),
    rules: str | os.PathLike[str] | Sequence[UserRule] = (),
    part: str | None = None,
    tolerance: Tolerance | None = None,
) -> ParametersReport:
    """Hold all parameters of two sides against each other: partner, shape, dtype, difference, verdict.

    Args:
        reference: the side that is right: a net, a trace, a file of parameters, a mapping.
        candidate: the other.
        mapping: a map, instead of the alignment.
        pins: pairs that belong together, the reference's first.
        rules: your own layers in common words, or the TOML file that has them.
        part: which part of a nested file, on both sides.
        tolerance: what counts as equal; without it equal bits, or what rounding to the coarser dtype explains.

    Raises:
        TracerError: a side cannot be opened or read, or a map, pin or rule does not hold.
    """
    from tracer.reports.weights import ParametersReport
    from tracer.starting_point.weights.differences import compare_parameters

    with holders.opened(reference, part=part) as ours, holders.opened(candidate, part=part) as theirs:
        weights = _mapped(ours, theirs, pins, rules, mapping, values=True)
        return ParametersReport(compare_parameters(ours, theirs, weights, tolerance=tolerance))


def _mapped(
    ours: holders.Holder,
    theirs: holders.Holder,
    pins: Pins,
    rules: str | os.PathLike[str] | Sequence[UserRule],
    mapping: MapSource | None = None,
    *,
    values: bool = False,
) -> WeightMap:
    """The map that was given, else that of the alignment; `values` says that the candidate's numbers mean something."""
    if mapping is not None:
        _refuse_unheard(pins, rules, "mapping= says what all pairs are")
        return by_map(ours, theirs, mapping)
    return map_weights(
        ours.skeleton,
        theirs.skeleton,
        pins=pairs_of(pins),
        rules=rules_of(rules),
        read_reference=ours.read if ours.has is None or ours.has else None,
        read_candidate=theirs.read if values and (theirs.has is None or theirs.has) else None,
        value_reference=ours.value,
        value_candidate=theirs.value,
    )


def _refuse_unheard(pins: Pins, rules: Any, why: str) -> None:
    """What is given must count."""
    for name, given in (("pins", pins), ("rules", rules)):
        if given not in ((), [], {}):
            raise RuleError(f"{name}= would not be heard: {why}", where=f"{name}={given!r}"[:80], then="leave one out")


def by_map(ours: holders.Holder, theirs: holders.Holder | None, mapping: MapSource) -> WeightMap:
    """A map that the user gave, in any form, held against both sides.

    Raises:
        RuleError: it is no map, or does not hold.
    """
    from tracer.reports.weights import MapReport

    reference = ours.parameters()
    if isinstance(mapping, MapReport | WeightMap):
        mapping = map_lines(mapping if isinstance(mapping, WeightMap) else mapping.weights)
    candidate = theirs.parameters() if theirs is not None else None
    if isinstance(mapping, str | os.PathLike):
        return read_map(mapping, reference, candidate)
    if isinstance(mapping, Mapping):
        return map_of(mapping.get("parameters", mapping), reference, candidate)
    then = 'give the path of a map, its lines as {"candidate": "reference"}, or what tracer.weight_map returned'
    raise RuleError("mapping= is no map of weights", where=given_words(mapping), then=then)


def map_lines(weights: WeightMap) -> dict[str, Any]:
    """The lines of a map as a file has them."""
    from tracer.starting_point.weights.map_file import to_json

    lines: dict[str, Any] = to_json(weights, "", "")["parameters"]
    return lines
