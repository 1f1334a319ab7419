"""`python -m tests.published.weights NAME [FOLDER]`: one family's weights, moved by the tracer alone. Prints JSON.

The torch net gets weights of its own; the tracer puts them into the port, by structure alone, else by the calls of
both nets. Then they are checked from outside: the parameters against a map by hand where there is one, what comes back
from the port into another torch net, a checkpoint as MindSpore itself loads it, and the outputs of the nets, as the
port was published and with its known faults mended.
"""

from __future__ import annotations

import os

os.environ["GLOG_v"] = "3"

import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tracer
from tests.published import candidate, reference
from tests.published.by_hand import distance
from tests.published.families import FAMILIES, Family
from tracer.errors import TracerError
from tracer.reports.weights import MapReport


@dataclass(frozen=True)
class Moved:
    """What came of one family.

    `parameters` counts what the reference computes with: parameters and moving statistics. `placed` counts what was
    filled in the port, `transformed` those that were reshaped, split or merged on the way. `alone` counts what matters
    and has no partner, on both sides, `open` what structure alone left open (ambiguous or alone). `wrong` contradicts
    the map by hand (None: there is none). `back` and `checkpoint` say that the same bits arrive. `published` and
    `mended` are the relative L2 between the outputs (None: the port does not run).
    """

    parameters: int
    placed: int
    transformed: int
    ambiguous: int
    alone: int
    how: str
    open: int
    equal: bool
    wrong: list[str] | None
    compared: str
    back: bool
    checkpoint: bool
    published: float | None
    mended: float | None


def images(family: Family) -> np.ndarray:
    """Two images, the same wherever they are asked for."""
    return np.random.default_rng(7).standard_normal((2, 3, family.size, family.size), dtype=np.float32)


def move(family: Family, folder: Path) -> Moved:
    """Everything that is found out about one family."""
    net, inputs = reference.build(family.reference), images(family)
    reference.condition(net, inputs)
    port = candidate.build(family.candidate)
    plan = tracer.weight_map(net, port).weights
    open_ = sum(len(choice.candidates) for choice in plan.choices) + len(plan.missing)
    told = None if plan.whole else _map_by_calls(net, port, inputs, folder)
    report = tracer.load_weights(port, net, mapping=told)
    weights = report.weights
    compared = tracer.compare_weights(net, port, mapping=told).verdict
    published = mended = None
    if family.runs:
        right = _torch_outputs(net, inputs)
        published = mended = distance(right, _port_outputs(port, inputs))
        for mend in family.mends:
            mend(port)
        if family.mends:
            mended = distance(right, _port_outputs(port, inputs))
    return Moved(
        parameters=sum(fact.needed and not fact.tied for fact in weights.reference.values()),
        placed=len(weights.placements),
        transformed=sum(placement.transformed for placement in weights.placements),
        ambiguous=len(weights.choices),
        alone=len(weights.missing) + len(weights.surplus),
        how="structure" if plan.whole else "calls",
        open=open_,
        equal=report.whole,
        wrong=None if family.rename is None else _against_the_map(family, port, weights),
        compared=compared,
        back=_comes_back(family, net, port, weights),
        checkpoint=_loads_as_checkpoint(family, net, port, weights, folder),
        published=published,
        mended=mended,
    )


def _map_by_calls(net: Any, port: Any, inputs: np.ndarray, folder: Path) -> Any:
    traces = [folder / "reference.h5", folder / "candidate.h5"]
    for side, out in zip((net, port), traces, strict=True):
        tracer.record(side, inputs, out=out, backward=False)
    return tracer.weight_map(*traces)


def _torch_outputs(net: Any, inputs: np.ndarray) -> np.ndarray:
    import torch

    with torch.no_grad():
        return net(torch.from_numpy(inputs)).numpy()


def _port_outputs(port: Any, inputs: np.ndarray) -> np.ndarray:
    import mindspore

    return port(mindspore.Tensor(inputs)).asnumpy()


def _against_the_map(family: Family, port: Any, weights: Any) -> list[str]:
    """Placements that the map by hand has otherwise."""
    norms = {path for path, cell in port.cells_and_names() if hasattr(cell, "gamma") and hasattr(cell, "beta")}
    wrong = []
    for placement in weights.placements:
        layer, _, word = placement.pieces[0].source.rpartition(".")
        place = family.rename(layer)
        words = candidate.WORDS if place in norms else candidate.OTHER_WORDS
        if ".".join(filter(None, (place, words.get(word, word)))) != placement.target or len(placement.pieces) > 1:
            wrong.append(str(placement))
    return wrong


def _comes_back(family: Family, net: Any, port: Any, weights: Any) -> bool:
    """The port's weights into another torch net of that class give the first one's bits."""
    other = reference.build(family.reference)
    try:
        lines = MapReport(weights.inverse(), "port", "reference")
        tracer.load_weights(other, port, mapping=lines, partial=True)  # tables that only the port holds go nowhere
    except TracerError:
        return False
    want, have = reference.arrays(net), reference.arrays(other)
    needed = [key for key, fact in weights.reference.items() if fact.needed and key in want]
    return all(np.array_equal(want[key], have[key]) for key in needed)


def _loads_as_checkpoint(family: Family, net: Any, port: Any, weights: Any, folder: Path) -> bool:
    """.pth -> .ckpt, loaded by MindSpore's own functions into a fresh port: nothing is missing, the bits are equal."""
    import mindspore
    import torch

    torch.save(net.state_dict(), folder / "net.pth")
    fresh = candidate.build(family.candidate)
    report = tracer.convert_weights(
        folder / "net.pth",
        folder / "net.ckpt",
        reference=net,
        candidate=fresh,
        mapping=MapReport(weights, "reference", "port"),
    )
    arrays = mindspore.load_checkpoint(str(folder / "net.ckpt"))
    not_loaded, _ = mindspore.load_param_into_net(fresh, arrays)
    tables = {fact.alias or key for key, fact in weights.candidate.items() if key not in report.weights.by_target}
    have = {p.name: p.asnumpy() for _, p in fresh.parameters_and_names()}
    want = {p.name: p.asnumpy() for _, p in port.parameters_and_names()}
    equal = all(np.array_equal(want[name], have[name]) for name in want if name not in tables)
    return equal and set(not_loaded) <= tables


if __name__ == "__main__":
    name, *rest = sys.argv[1:]
    if rest:
        found = move(FAMILIES[name], Path(rest[0]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            found = move(FAMILIES[name], Path(folder))
    print(json.dumps(asdict(found)), flush=True)
    os._exit(0)
