"""Weights go from torch to MindSpore and back, for every layer pair, in one process; what came of it is the last line.

python -m tests.starting_point.run_layer_pairs FOLDER [NAME ...]
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

import tracer
from tests.starting_point.layer_pairs import PAIRS, LayerPair


def torch_net(call: str, seed: int):
    """A torch net around one layer, all of its numbers random."""
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = eval(call, {"nn": nn})

        def forward(self, *inputs):
            return self.layer(*inputs)

    net = Net().eval()
    generator = torch.Generator().manual_seed(seed)
    for name, tensor in net.state_dict().items():
        if tensor.is_floating_point():
            fresh = torch.rand(tensor.shape, generator=generator) - (0 if name.endswith("var") else 0.5)
            tensor.copy_(fresh + (0.5 if name.endswith("var") else 0))
    return net


def mindspore_net(call: str):
    """A MindSpore net around one layer."""
    from mindspore import mint, nn

    class Net(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.layer = eval(call, {"nn": nn, "mint": mint})

        def construct(self, *inputs):
            return self.layer(*inputs)

    return Net().set_train(False)


def numbers(state) -> dict[str, np.ndarray]:
    """The arrays of a state dict, without counters."""
    return {name: np.array(t) for name, t in state.items() if not name.endswith("num_batches_tracked")}


def same(one: dict, other: dict) -> bool:
    """The same names, shapes and bits."""
    return one.keys() == other.keys() and all(
        one[n].shape == other[n].shape and one[n].tobytes() == other[n].tobytes() for n in one
    )


def given(make, tree, seed: int = 5):
    """Inputs of a framework."""
    if isinstance(tree, np.ndarray):
        return make(tree)
    if all(isinstance(n, int) for n in tree):
        return make(np.random.default_rng(seed).standard_normal(tree).astype(np.float32))
    found = tuple(given(make, t, seed + n) for n, t in enumerate(tree))
    return found[0] if len(found) == 1 else found


def outputs(pair: LayerPair, ours, theirs) -> float:
    """Relative L2 between what both nets return."""
    import mindspore
    import torch

    with torch.no_grad():
        want = ours(*(given(torch.from_numpy, i, 7 * n) for n, i in enumerate(pair.inputs)))
    got = theirs(*(given(mindspore.Tensor, i, 7 * n) for n, i in enumerate(pair.inputs)))
    while isinstance(want, tuple):
        want, got = want[0], got[0]
    want, got = want.numpy().astype(np.float64), got.asnumpy().astype(np.float64)
    assert want.shape == got.shape, (want.shape, got.shape)
    return float(np.linalg.norm(want - got) / np.linalg.norm(want))


def tried(pair: LayerPair, folder: Path) -> dict:
    """What is true of one pair."""
    import mindspore
    import torch

    ours, theirs, back = torch_net(pair.torch, 1), mindspore_net(pair.mindspore), torch_net(pair.torch, 2)
    there = tracer.load_weights(theirs, ours)
    again = tracer.load_weights(back, theirs)
    found = {
        "whole": there.whole and again.whole,
        "read back": all(row.equal for row in (*there.placed, *again.placed)),
        "live": same(numbers(ours.state_dict()), numbers(back.state_dict())),
    }
    torch.save(ours.state_dict(), folder / "a.pth")
    fresh = mindspore_net(pair.mindspore)
    tracer.convert_weights(folder / "a.pth", folder / "b.ckpt", reference=ours, candidate=fresh)
    tracer.convert_weights(folder / "b.ckpt", folder / "c.safetensors")
    tracer.convert_weights(folder / "c.safetensors", folder / "d.pth", reference=fresh, candidate=back)
    read = torch.load(folder / "d.pth", weights_only=True)
    found["files"] = same(numbers(ours.state_dict()), numbers(read))
    missing, surplus = mindspore.load_param_into_net(fresh, mindspore.load_checkpoint(str(folder / "b.ckpt")))
    found["MindSpore loads it"] = not missing and not surplus
    held = [{n: p.asnumpy() for n, p in net.parameters_and_names()} for net in (fresh, theirs)]
    found["MindSpore has the same"] = same(*held)
    if pair.runs:
        found["outputs"] = outputs(pair, ours, theirs)
    return found


def main() -> None:
    """All pairs, or those that are named."""
    warnings.simplefilter("ignore")
    folder = Path(sys.argv[1])
    found = {}
    for name in sys.argv[2:] or PAIRS:
        try:
            found[name] = tried(PAIRS[name], folder)
        except Exception:
            found[name] = {"error": traceback.format_exc()}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
