"""Real losses of MindSpore, made in a process of their own: `python in_mindspore.py INPUTS.npz RESULTS.json`."""

from __future__ import annotations

import json
import sys

import numpy as np

CLASSES = {
    "cross_entropy": ("CrossEntropyLoss", {}, "scores", "labels"),
    "cross_entropy_sum": ("CrossEntropyLoss", {"reduction": "sum"}, "scores", "labels"),
    "cross_entropy_smoothed": ("CrossEntropyLoss", {"label_smoothing": 0.1}, "scores", "labels"),
    "cross_entropy_ignoring": ("CrossEntropyLoss", {"ignore_index": 3}, "scores", "labels"),
    "cross_entropy_weighted": ("CrossEntropyLoss", {"weight": "weight"}, "scores", "labels"),
    "cross_entropy_of_softmax": ("CrossEntropyLoss", {}, "softmax", "labels"),
    "softmax_cross_entropy": ("SoftmaxCrossEntropyWithLogits", {"sparse": True}, "scores", "labels"),
    "softmax_cross_entropy_one_hot": ("SoftmaxCrossEntropyWithLogits", {"reduction": "mean"}, "scores", "one_hot"),
    "nll_loss": ("NLLLoss", {}, "log_softmax", "labels"),
    "mse_loss": ("MSELoss", {}, "numbers", "wanted"),
    "mse_loss_sum": ("MSELoss", {"reduction": "sum"}, "numbers", "wanted"),
    "l1_loss": ("L1Loss", {}, "numbers", "wanted"),
    "smooth_l1_loss": ("SmoothL1Loss", {}, "numbers", "wanted"),
    "smooth_l1_loss_beta": ("SmoothL1Loss", {"beta": 0.3, "reduction": "mean"}, "numbers", "wanted"),
    "huber_loss": ("HuberLoss", {"delta": 0.4}, "numbers", "wanted"),
    "rmse_loss": ("RMSELoss", {}, "numbers", "wanted"),
    "binary_cross_entropy": ("BCELoss", {}, "chances", "binary"),
    "binary_cross_entropy_with_logits": ("BCEWithLogitsLoss", {}, "numbers", "binary"),
    "binary_cross_entropy_with_logits_weighted": ("BCEWithLogitsLoss", {"pos_weight": "positive"}, "numbers", "binary"),
    "kl_div": ("KLDivLoss", {}, "log_softmax", "spread"),
    "kl_div_batchmean": ("KLDivLoss", {"reduction": "batchmean"}, "log_softmax", "spread"),
    "soft_margin_loss": ("SoftMarginLoss", {}, "numbers", "signs"),
}
"""For each loss its class in `mindspore.nn`, its arguments (words are names of arrays), and what it is given. The last has
no kernel on a CPU; its error may stick to what runs behind it."""


def main(inputs: str, results: str) -> None:
    """Run all of them on the arrays of a file; write what a recording would hold."""
    import mindspore as ms
    from mindspore import nn, ops

    from tracer.frameworks import mindspore_settings

    with np.load(inputs) as file:
        arrays = {name: file[name] for name in file.files}
    out = {}
    scores, labels = ms.Tensor(arrays["text"]), ms.Tensor(arrays["words"])
    unshifted = ops.cross_entropy(scores.reshape(-1, scores.shape[-1]), labels.reshape(-1))
    out["text_unshifted"] = {"value": float(unshifted.asnumpy()), "kind": "cross_entropy"}
    for name, (kind, arguments, predictions, targets) in CLASSES.items():
        options = {k: ms.Tensor(arrays[v]) if v in arrays else v for k, v in arguments.items()}
        cell = getattr(nn, kind)(**options)
        given = ms.Tensor(arrays[predictions]), ms.Tensor(arrays[targets])
        try:
            value = np.array(cell(*given).asnumpy())
        except Exception as error:
            out[name] = {"failed": f"{type(error).__name__}: {error}"[:300]}
            continue
        bases = [f"{base.__module__}.{base.__qualname__}" for base in type(cell).__mro__ if base is not object]
        out[name] = {
            "value": value.tolist(),
            "kind": kind,
            "bases": bases[: bases.index("mindspore.nn.cell.Cell")],
            "settings": mindspore_settings.settings(cell, frozenset(vars(nn.Cell()))),
        }
    with open(results, "w", encoding="utf-8") as file:
        json.dump(out, file, default=lambda _: None)


if __name__ == "__main__":
    main(*sys.argv[1:])
