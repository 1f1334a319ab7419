"""Weights are loaded into and from MindSpore nets in many ways, in one process; what came of it is the last line."""

from __future__ import annotations

import json
import traceback
import warnings

import mindspore
import numpy as np
import torch
from mindspore import amp, nn
from torch import nn as tnn

import tracer
from tracer import TracerError


class Ours(tnn.Module):
    """A small torch net; its head may share the embedding's table."""

    def __init__(self, tied: bool = False) -> None:
        super().__init__()
        self.emb, self.fc, self.norm = tnn.Embedding(7, 4), tnn.Linear(4, 4), tnn.BatchNorm1d(4)
        self.head = tnn.Linear(4, 7, bias=False)
        if tied:
            self.head.weight = self.emb.weight
        self.norm.running_mean.uniform_(-1, 1)
        self.eval()

    def forward(self, x):
        return self.head(self.norm(self.fc(self.emb(x))))


class Theirs(nn.Cell):
    """Its port."""

    def __init__(self, tied: bool = False) -> None:
        super().__init__()
        self.emb, self.fc, self.norm = nn.Embedding(7, 4), nn.Dense(4, 4), nn.BatchNorm1d(4)
        self.head = nn.Dense(4, 7, has_bias=False)
        if tied:
            self.head.weight = self.emb.embedding_table
        self.set_train(False)

    def construct(self, x):
        return self.head(self.norm(self.fc(self.emb(x))))


IDS = np.array([1, 5, 0], np.int32)


def apart(ours, theirs) -> float:
    """How far the outputs of both nets are apart."""
    with torch.no_grad():
        want = ours.eval().float()(torch.from_numpy(IDS)).numpy()
    return float(np.abs(want - theirs.set_train(False)(mindspore.Tensor(IDS)).asnumpy()).max())


def loaded(theirs, source, ours, **how) -> dict:
    """What is true after loading; `ours` is what the net is then to compute."""
    report = tracer.load_weights(theirs, source, **how)
    return {
        "whole": report.whole,
        "placed": len(report.placed),
        "cast": len(report.cast),
        "equal": all(row.equal for row in report.placed),
        "apart": apart(ours, theirs),
        "text": str(report),
    }


def numbers(net) -> dict[str, bytes]:
    """The bits of a MindSpore net's parameters."""
    return {name: p.asnumpy().tobytes() for name, p in net.parameters_and_names()}


def refused(theirs, source, **how) -> dict:
    """The refusal, and whether the net is as it was."""
    before = numbers(theirs)
    try:
        tracer.load_weights(theirs, source, **how)
    except TracerError as error:
        return {
            "text": str(error),
            "what": error.what,
            "where": error.where,
            "then": error.then,
            "unchanged": numbers(theirs) == before,
        }
    raise AssertionError("it was not refused")


def equal_but_untied() -> Ours:
    net = Ours()
    net.head.weight.data.copy_(net.emb.weight.data)
    return net


def wrapped(wrap) -> dict:
    """Into a MindSpore net inside of a wrapper; the outputs are those of the net inside."""
    ours, theirs = Ours(), Theirs()
    report = tracer.load_weights(wrap(theirs), ours)
    return {"whole": report.whole, "apart": apart(ours, theirs), "placed": len(report.placed)}


def trainer(net):
    return nn.TrainOneStepCell(nn.WithLossCell(net, nn.MSELoss()), nn.Adam(net.trainable_params()))


def recomputed(net):
    net.fc.recompute()
    return net


def from_state(prefix: str) -> dict:
    ours = Ours()
    return loaded(Theirs(), {f"{prefix}{name}": t for name, t in ours.state_dict().items()}, ours)


def from_net(wrap) -> dict:
    ours = Ours()
    return loaded(Theirs(), wrap(ours), ours)


def into_torch(wrap) -> dict:
    theirs, ours = Theirs(), Ours()
    report = tracer.load_weights(wrap(ours), theirs)
    return {"whole": report.whole, "apart": apart(ours, theirs), "placed": len(report.placed)}


def half(make) -> dict:
    ours = make(Ours())
    return loaded(Theirs(), ours, ours)


def fails_in_the_middle() -> dict:
    """The last parameter holds a whole number that the net has no room for; the others are written before it."""
    ours, theirs = Ours(), Theirs()
    ours.register_buffer("count", torch.tensor([2**40]))
    theirs.count = mindspore.Parameter(mindspore.Tensor([0], mindspore.int32), requires_grad=False)
    return refused(theirs, ours)


def missing_only() -> dict:
    ours, theirs = Ours(), Theirs()
    state = {k: v for k, v in ours.state_dict().items() if k != "fc.bias"}
    before = numbers(theirs)
    report = tracer.load_weights(theirs, state, partial=True)
    after = numbers(theirs)
    return {
        "whole": report.whole,
        "alone": [p.key for p in report.alone_candidate if p.needed],
        "kept": [name for name in before if before[name] == after[name]],
    }


def own_memory() -> dict:
    """After loading, the source changes in place: a torch net, and arrays large and small."""
    ours, theirs, dense = Ours(), Theirs(), nn.Dense(600, 700)
    arrays = {"weight": np.ones((700, 600), np.float32), "bias": np.ones(700, np.float32)}
    tracer.load_weights(theirs, ours)
    tracer.load_weights(dense, arrays)
    before = numbers(theirs) | numbers(dense)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.fill_(7)
    for array in arrays.values():
        array.fill(7)
    return {"unchanged": numbers(theirs) | numbers(dense) == before}


CASES = {
    "own memory": own_memory,
    "tied on both sides": lambda: (lambda o: loaded(Theirs(tied=True), o, o))(Ours(tied=True)),
    "tied in the reference": lambda: (lambda o: loaded(Theirs(), o, o))(Ours(tied=True)),
    "tied in the candidate": lambda: refused(Theirs(tied=True), Ours()),
    "tied in the candidate, equal": lambda: (lambda o: loaded(Theirs(tied=True), o, o))(equal_but_untied()),
    "module.": lambda: from_state("module."),
    "_orig_mod.": lambda: from_state("_orig_mod."),
    "module._orig_mod.": lambda: from_state("module._orig_mod."),
    "DataParallel": lambda: from_net(tnn.DataParallel),
    "torch.compile": lambda: from_net(torch.compile),
    "into torch.compile": lambda: into_torch(torch.compile),
    "into DataParallel": lambda: into_torch(tnn.DataParallel),
    "WithLossCell": lambda: wrapped(lambda net: nn.WithLossCell(net, nn.MSELoss())),
    "TrainOneStepCell": lambda: wrapped(trainer),
    "recompute": lambda: wrapped(recomputed),
    "amp O2": lambda: wrapped(lambda net: amp.auto_mixed_precision(net, "O2")),
    "amp O1": lambda: wrapped(lambda net: amp.auto_mixed_precision(net, "O1")),
    "from float16": lambda: half(Ours.half),
    "from bfloat16": lambda: half(Ours.bfloat16),
    "into float16": lambda: refused(half_cell(), Ours()),
    "into float16, cast": lambda: {"cast": len(tracer.load_weights(half_cell(), Ours(), cast=True).cast)},
    "missing": lambda: refused(Theirs(), {k: v for k, v in Ours().state_dict().items() if k != "fc.bias"}),
    "missing, partial": missing_only,
    "surplus": lambda: refused(Theirs(), {**Ours().state_dict(), "more.weight": torch.ones(3, 9)}),
    "another shape": lambda: refused(Theirs(), {**Ours().state_dict(), "head.weight": torch.ones(9, 4)}),
    "fails in the middle": fails_in_the_middle,
}


def half_cell():
    net = Theirs()
    for parameter in net.get_parameters():
        parameter.set_dtype(mindspore.float16)
    return net


def main() -> None:
    warnings.simplefilter("ignore")
    torch.manual_seed(0)
    found = {}
    for name, case in CASES.items():
        try:
            found[name] = case()
        except Exception:
            found[name] = {"error": traceback.format_exc()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
