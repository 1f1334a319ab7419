"""Run aligned pairs of layers in both frameworks; the last line printed is {calls: relative L2} as JSON."""

from __future__ import annotations

import json
import sys
import warnings

import numpy as np
from recorded import differences, make, trace_of
from test_rules_numbers import NO_KERNEL, OTHER_CALL
from test_rules_pairs import DEFAULTS, RANKS

from tracer.divergence.rules.conversions import rank_of
from tracer.divergence.rules import meaning
from tracer.trace.schema import ROOT


def input_for(op: str, settings: dict) -> np.ndarray:
    """A random input that a layer of this op takes."""
    rng = np.random.default_rng(0)
    if op in ("embedding",):
        return rng.integers(0, 5, (2, 3)).astype(np.int32)
    first = next((settings[n].value for n in ("in_features", "input_size", "embed_dim") if n in settings), None)
    if op == "layer_norm":
        shape = (5, *settings["normalized_shape"].value)
    elif op.endswith("_cell") or op == "linear":
        shape = (3, first or 4)
    elif first is not None:
        shape = (3, 2, first)
    elif op in ("log_softmax", "softmax", "softmin"):
        shape = (3, 2, 4)
    elif op.startswith("transformer"):
        shape = (3, 2, 4)
    elif rank_of(op):
        shape = (2, settings["in_channels"].value if "in_channels" in settings else 2, *(8, 6, 7)[: rank_of(op)])
    elif op == "unflatten":
        shape = (2, 4)
    else:
        shape = (2, 4, 8, 6)
    return rng.standard_normal(shape).astype(np.float32) * 2


def _tensors(make_one, tree):  # noqa: ANN001, ANN202
    return tuple(_tensors(make_one, v) for v in tree) if isinstance(tree, tuple) else make_one(tree)


def run(torch_call: str, mindspore_call: str) -> float | None:
    """Relative L2 between the outputs of two layers with the same parameters."""
    import mindspore
    import torch

    ours, theirs = make("torch", torch_call), make("mindspore", mindspore_call)
    ours.eval()
    theirs.set_train(False)
    left, right = trace_of("torch", ours, torch_call), trace_of("mindspore", theirs, mindspore_call)
    left_means, right_means = meaning(left[ROOT], "torch", left), meaning(right[ROOT], "mindspore", right)
    if left_means.op in ("rrelu",):
        return None
    rng = np.random.default_rng(1)
    modules, cells = dict(ours.named_modules()), dict(theirs.cells_and_names())
    pairs = [(left_means.parameters[n], right_means.parameters.get(n)) for n in left_means.parameters]
    if left_means.op == "transformer_encoder_layer":
        names = {"linear1": "dense1", "linear2": "dense2"}
        pairs = []
        for path, layer in left.items():
            other = names.get(path, path)
            below = meaning(layer, "torch", left).parameters
            over = meaning(right[other], "mindspore", right).parameters if other in right else {}
            pairs += [(p, over[n]) for n, p in below.items() if p.path == path]
    for mine, yours in pairs:
        if mine.name == "num_batches_tracked":
            continue
        holder = modules["" if mine.path == ROOT else mine.path]
        tensor = getattr(holder, mine.own_name)
        array = rng.random(tuple(tensor.shape)).astype(np.float32) + (0.5 if "var" in mine.name else 0)
        with torch.no_grad():
            tensor.copy_(torch.from_numpy(array))
        if yours is None:
            raise AssertionError(f"{mindspore_call} has no {mine.name}")
        assert mine.shape == yours.shape, (mine, yours)
        parameter = cells["" if yours.path == ROOT else yours.path]._params[yours.own_name]
        parameter.set_data(mindspore.Tensor(array.reshape(parameter.shape)))
    x = input_for(left_means.op, left_means.settings)
    if torch_call.startswith("nn.BatchNorm1d"):
        x = x[:, :, 0, 0]
    if torch_call.startswith("nn.BatchNorm3d"):
        x = x[:, :, None]
    more = [x] * 2 if left_means.op == "multi_head_attention" else []
    if left_means.op.endswith("_cell"):
        h = rng.standard_normal((len(x), left_means.settings["hidden_size"].value)).astype(np.float32)
        more = [(h, h)] if left_means.op == "lstm_cell" else [h]
    with torch.no_grad():
        want = ours(*_tensors(torch.from_numpy, (x, *more)))
    got = theirs(*_tensors(mindspore.Tensor, (x, *more)))
    want, got = (v[0] if isinstance(v, tuple) else v for v in (want, got))
    want, got = want.numpy().astype(np.float64), got.asnumpy().astype(np.float64)
    if want.shape != got.shape:
        return float("inf")
    return float(np.linalg.norm(want - got) / max(np.linalg.norm(want), 1e-12))


def main() -> None:
    """Every row of the pairs that runs on a CPU with one input."""
    results = {}
    for torch_call, mindspore_call, _ in DEFAULTS:
        found = differences(("torch", torch_call), ("mindspore", mindspore_call), rank=RANKS.get(torch_call))
        call = next((d.edit for d in found if d.edit), mindspore_call)
        if any(word in call for word in NO_KERNEL) or any(word in torch_call for word in OTHER_CALL):
            continue
        if torch_call == "nn.GLU(1)":
            continue  # the same for two axes only
        if found and not all(d.edit for d in found):
            continue
        try:
            error = run(torch_call, call)
        except Exception as failure:  # noqa: BLE001
            print(torch_call, call, repr(failure)[:300], file=sys.stderr)
            error = float("nan")
        if error is not None:
            results[f"{torch_call} | {call}"] = error
    print(json.dumps(results))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
