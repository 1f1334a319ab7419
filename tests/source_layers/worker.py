"""MindSpore's side, a process of its own: reads jobs, runs them, answers with arrays.

A job is a pickled (text, inputs, named, weights, gradients), or ("updates" | "rates", text); the answer a pickled dictionary of arrays, or {"error": ..., "stage":
"build" | "run" | "gradient"}.
"""

from __future__ import annotations

import os
import pickle
import signal
from typing import Any

import numpy as np

from tests.source_layers.piped import answer_jobs
from tests.source_layers.running import cotangent, leaves, mapped
from tests.source_layers.updates import in_mindspore, rates_in_mindspore

SECONDS = 60

_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "mean": "running_mean",
    "variance": "running_var",
    "moving_variance": "running_var",
    "embedding_table": "weight",
    "w": "weight",
    "a": "weight",
    "dense1": "linear1",
    "dense2": "linear2",
}


def torch_name(name: str) -> str:
    """What torch calls the parameter of that name."""
    parts = [p for p in name.split(".") if p != "bn2d"]
    return ".".join(_NAMES.get(part, part) for part in parts)


def run(text: str, inputs: object, named: dict, weights: dict, first_only: bool = False) -> dict:
    """Everything that `torch_side.run` measures, with the weights it had."""
    import mindspore
    from mindspore import Tensor

    stage = "build"
    found: dict = {}
    try:
        scope = {"mindspore": mindspore, **{name: Tensor(array) for name, array in named.items()}}
        layer = eval(text, scope)  # noqa: S307
        stage = "run"
        cell = isinstance(layer, mindspore.nn.Cell)
        if cell:
            mine = {torch_name(p.name): p for p in layer.get_parameters() if p.dtype == mindspore.float32}
            mine = {name: p for name, p in mine.items() if name.split(".")[-1] not in ("num_batches_tracked",)}
            extra = sorted(n for n in set(mine) - set(weights) if mine[n].requires_grad)
            lacking = sorted(set(weights) - set(mine))
            if extra or lacking:
                found["names"] = f"only here {extra}, only in torch {lacking}"
            for name, parameter in mine.items():
                found[f"spread:{name}"] = np.array(float(parameter.asnumpy().std()))
                if name in weights:
                    parameter.set_data(Tensor(np.ascontiguousarray(weights[name].reshape(parameter.shape))))
        given = mapped(inputs, lambda a: Tensor(a.copy()))
        if cell:
            layer.set_train(False)
        out = list(leaves(layer(*given)))
        found |= {f"eval.{i}": np.array(t.asnumpy()) for i, t in enumerate(out)}
        if cell:
            layer.set_train(True)
        out = list(leaves(layer(*given)))
        found |= {f"train.{i}": np.array(t.asnumpy()) for i, t in enumerate(out)}
        if cell:
            for name, parameter in mine.items():
                if name.split(".")[-1] in ("running_mean", "running_var"):
                    found[f"after:{name}"] = np.array(parameter.asnumpy())
    except Exception as error:
        return {**found, "error": _first_line(error), "stage": stage}
    stage = "gradient"
    try:
        flat = list(leaves(given))
        floats = tuple(i for i, t in enumerate(flat) if t.dtype in (mindspore.float32, mindspore.float16))
        floats = floats[:1] if first_only else floats
        trained = [p for n, p in mine.items() if p.requires_grad and n in weights] if cell else []
        if cell:
            layer.set_train(True)

        def total(*parts):
            it = iter(parts)
            outs = list(leaves(layer(*mapped(given, lambda _: next(it)))))
            return sum(
                (t * Tensor(cotangent(tuple(t.shape), i))).sum()
                for i, t in enumerate(outs)
                if t.dtype == mindspore.float32
            )

        if floats or trained:
            fn = mindspore.value_and_grad(total, floats or None, trained or None)
            _, grads = fn(*flat)
            by_input, by_weight = grads if floats and trained else (grads, ()) if floats else ((), grads)
            by_input = by_input if isinstance(by_input, tuple) else (by_input,)
            for i, g in zip(floats, by_input, strict=True):
                found[f"grad.{i}"] = np.array(g.asnumpy())
            names = {id(p): n for n, p in mine.items()} if cell else {}
            for p, g in zip(trained, by_weight, strict=True):
                found[f"gradient:{names[id(p)]}"] = np.array(g.asnumpy())
    except Exception as error:
        return {**found, "gradient_error": _first_line(error), "stage": stage}
    return found


def updated(job: str, text: str) -> dict:
    """What an optimizer makes of parameters, or a scheduler of the learning rate."""
    try:
        return in_mindspore(text) if job == "updates" else rates_in_mindspore(text)
    except Exception as error:
        return {"error": _first_line(error), "stage": "run"}


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip(" -\n")]
    return f"{type(error).__name__}: {' | '.join(lines)[:300]}"


def answer(job: tuple[Any, ...]) -> dict[str, Any]:
    """What a job comes to."""
    return updated(*job) if job[0] in ("updates", "rates") else run(*job)


def fit(found: dict[str, Any]) -> bool:
    """Is the process fit for more after this answer?"""
    return found.get("stage") not in ("run", "gradient") or _sound()


def _sound() -> bool:
    import mindspore

    try:
        return bool((mindspore.ops.ones((2, 2)) * 2).sum().asnumpy() == 8)
    except Exception:
        return False


if __name__ == "__main__":
    answer_jobs(answer, fit, lambda _: {"error": "the process died or took too long", "stage": "run"}, SECONDS)
