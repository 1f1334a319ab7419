"""Checks of keep="timing" in MindSpore, run by name in a process of their own: `python mindspore_checks.py NAME...`.

Prints a line of JSON for each: {"check": name} where it holds, {"check": name, "why": "..."} where it does not.
"""

from __future__ import annotations

import json
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mindspore
import numpy as np
from mindspore import nn, ops

import tracer

CHECKS: dict[str, Callable[[Path], None]] = {}


def check(function: Callable[[Path], None]) -> Callable[[Path], None]:
    """One check; it is given an empty folder."""
    CHECKS[function.__name__] = function
    return function


class Block(nn.Cell):
    """A residual block."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.fc, self.drop = nn.LayerNorm((8,)), nn.Dense(8, 8), nn.Dropout(p=0.5)

    def construct(self, x: Any) -> Any:
        """With an addition of its own."""
        return x + self.drop(ops.relu(self.fc(self.norm(x))))


class Net(nn.Cell):
    """Two blocks, a shared layer, a running statistic; raises in its n-th call where it is told to."""

    def __init__(self, at: int = 0, error: type[BaseException] = ValueError) -> None:
        super().__init__()
        self.blocks = nn.CellList([Block(), Block()])
        self.shared, self.norm, self.head = nn.Dense(8, 8), nn.BatchNorm1d(8), nn.Dense(8, 3)
        self.same = nn.Identity()
        self.at, self.error, self.calls = at, error, [0]

    def construct(self, x: Any) -> Any:
        """The shared layer is called twice."""
        self.calls[0] += 1
        if self.calls[0] == self.at:
            raise self.error("told to")
        for block in self.blocks:
            x = block(x)
        return self.head(self.same(self.norm(self.shared(self.shared(x)))))


def made(*args: Any) -> Net:
    """Of fixed weights, in training mode."""
    mindspore.set_seed(0)
    net = Net(*args)
    rng = np.random.default_rng(0)
    for parameter in net.get_parameters():
        parameter.set_data(mindspore.Tensor(rng.standard_normal(parameter.shape).astype(np.float32) * 0.3))
    return net.set_train()


BATCH = np.random.default_rng(1).standard_normal((4, 8)).astype(np.float32)
LABELS = np.arange(4, dtype=np.int32) % 3


def state(net: nn.Cell) -> list[bytes]:
    """All Parameters."""
    return [parameter.asnumpy().tobytes() for parameter in net.get_parameters()]


def hooks(net: nn.Cell) -> list[Any]:
    """All hooks that are on a net, on cells and on its Parameters."""
    cells = [hook for _, cell in net.cells_and_names() for hook in (*cell._forward_hook, *cell._forward_pre_hook)]  # noqa: SLF001
    return [*cells, *(h for p in net.get_parameters() for h in p.hooks())]


def times(net: nn.Cell, folder: Path, **options: Any) -> tracer.Trace:
    """A trace of few repeats."""
    return tracer.record(net, BATCH, out=folder / "a.h5", keep="timing", **{"repeat": 2, "warmup": 0} | options)


@check
def forward_and_backward(folder: Path) -> None:
    """Every call has times, in their order and inside each other; own and total add up."""
    net = made()
    before = state(net)
    trace = times(net, folder)
    timing, calls = trace.timing, trace.skeleton.steps[0].calls
    assert timing.orders == tuple(call.order for call in calls)
    at = {order: n for n, order in enumerate(timing.orders)}
    total = np.maximum(timing.backward_own, 0)
    for call in reversed(calls):
        if call.parent is not None:
            child, parent = at[call.order], at[call.parent]
            total[:, parent] += total[:, child]
            assert (timing.forward[:, child, 0] >= timing.forward[:, parent, 0]).all()
            assert (timing.forward[:, child, 1] <= timing.forward[:, parent, 1]).all()
    assert (total == np.maximum(timing.backward_total, 0)).all()
    assert (np.diff(timing.forward[..., 0], axis=1) >= 0).all()
    quiet = {call.path for call in calls if (timing.backward_own[:, at[call.order]] < 0).any()}
    assert quiet == {"same"}, quiet  # it gives what it was given: there is nothing to go back through
    places = {(call.path, call.index): at[call.order] for call in calls}
    way = [("head", 0), ("norm", 0), ("shared", 1), ("shared", 0), ("blocks.1.fc", 0), ("blocks.0.fc", 0)]
    assert (np.diff(timing.backward[:, [places[key] for key in way], 0], axis=1) > 0).all()
    assert (timing.step[:, [1, 3]] == -1).all()
    assert (timing.step[:, 0] < timing.step[:, 2]).all()
    assert "sync" in timing.rest
    assert len(timing.bare) == len(timing.watched) == 2
    assert timing.inside_cost > 0
    assert hooks(net) == []
    assert state(net) == before
    assert "a step" in str(tracer.profile(trace))


@check
def a_step_of_training(folder: Path) -> None:
    """Four phases in their order; net and optimizer are put back."""
    net = made()
    optimizer = nn.Adam(net.trainable_params(), 0.01)
    before, remembered = state(net), state(optimizer)
    trace = times(net, folder, loss=nn.CrossEntropyLoss(), targets=LABELS, optimizer=optimizer)
    step = trace.timing.step
    assert (np.diff(step, axis=1) > 0).all(), step
    assert (step[:, 3] <= trace.timing.watched).all()
    assert (state(net), state(optimizer)) == (before, remembered)
    assert hooks(net) == []


def trained(steps: int, out: Path | None) -> list[bytes]:
    """Losses and Parameters of a training, recorded or not."""
    net = made()
    for block in net.blocks:
        block.drop.set_train(mode=False)  # what it draws is not the same in every run of the process, recorded or not
    optimizer = nn.Momentum(net.trainable_params(), 0.1, 0.9)
    held: list[Any] = []
    losses = []

    def forward(x: Any) -> Any:
        loss = ops.square(net(x)).mean()
        return held[-1].loss(loss) if held else loss

    both = mindspore.value_and_grad(forward, None, optimizer.parameters)

    def one() -> None:
        loss, gradients = both(mindspore.Tensor(BATCH))
        optimizer(gradients)
        losses.append(loss.asnumpy().tobytes())

    if out is None:
        for _ in range(steps):
            one()
    else:
        with tracer.recording(net, out=out, optimizer=optimizer, keep="timing", repeat=2, warmup=1) as recording:
            held.append(recording)
            for _ in range(steps):
                with recording.step():
                    one()
    assert hooks(net) == []
    return [*losses, *state(net)]


@check
def a_loop_of_ones_own(folder: Path) -> None:
    """The same bits, and four phases."""
    assert trained(8, folder / "a.h5") == trained(8, None)
    timing = tracer.Trace(folder / "a.h5").timing
    assert (len(timing.bare), len(timing.watched)) == (2, 2)
    assert (np.diff(timing.step, axis=1) > 0).all(), timing.step
    assert (timing.backward_total[:, 0] > 0).all()


@check
def model_train(folder: Path) -> None:
    """MindSpore's own loop, by its callback."""
    net = made()
    optimizer = nn.Momentum(net.trainable_params(), 0.1, 0.9)
    model = mindspore.train.Model(net, nn.CrossEntropyLoss(), optimizer)
    data = mindspore.dataset.GeneratorDataset(
        [(row, label) for row, label in zip(BATCH, LABELS, strict=True)] * 6, ["x", "y"]
    )
    with tracer.recording(
        net, out=folder / "a.h5", optimizer=optimizer, keep="timing", repeat=1, warmup=1
    ) as recording:
        model.train(1, data.batch(4), callbacks=[recording.callback()], dataset_sink_mode=False)
    timing = tracer.Trace(folder / "a.h5").timing
    assert len(timing.watched) == 1
    assert (timing.step[:, [0, 2, 3]] > 0).all(), timing.step


@check
def backward_false(folder: Path) -> None:
    """The forward alone."""
    trace = times(made(), folder, backward=False)
    assert (trace.timing.step[:, 1:] == -1).all()
    assert (trace.timing.backward_own == -1).all()


@check
def a_net_in_graph_mode_is_timed_eagerly(folder: Path) -> None:
    """And that is said; the mode is as it was."""
    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    try:
        trace = times(made().set_train(mode=False), folder)
        assert mindspore.get_context("mode") == mindspore.GRAPH_MODE
    finally:
        mindspore.set_context(mode=mindspore.PYNATIVE_MODE)
    assert any("graph mode was left" in note for note in trace.timing.notes)
    assert (trace.timing.forward >= 0).all()


@check
def shared_with_torch(folder: Path) -> None:
    """The port's times stand beside the reference's."""
    import torch

    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.fc, self.drop = torch.nn.LayerNorm(8), torch.nn.Linear(8, 8), torch.nn.Dropout(0.5)

        def forward(self, x: Any) -> Any:
            return x + self.drop(torch.relu(self.fc(self.norm(x))))

    class TorchNet(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.blocks = torch.nn.ModuleList([Block(), Block()])
            self.shared, self.norm, self.head = torch.nn.Linear(8, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 3)
            self.same = torch.nn.Identity()

        def forward(self, x: Any) -> Any:
            for block in self.blocks:
                x = block(x)
            return self.head(self.same(self.norm(self.shared(self.shared(x)))))

    with times(made(), folder) as ours:
        tracer.record(TorchNet(), BATCH, out=folder / "pt.h5", keep="timing", repeat=2, warmup=0).close()
        report = tracer.profile(folder / "pt.h5", ours)
    assert {"blocks.1.fc", "shared", "head"} <= {
        row.candidate.path for row in report.rows if row.reference and row.candidate
    }, report


def raises(folder: Path, at: int, error: type[BaseException]) -> None:
    """The error comes to the user, and nothing stays on the net."""
    net = made(at, error)
    before = state(net)
    try:
        times(net, folder)
    except error as found:
        assert "told to" in str(found)
    else:
        raise AssertionError("nothing was raised")
    assert hooks(net) == []
    assert state(net) == before
    assert not tracer.Trace(folder / "a.h5").complete


@check
def ctrl_c_in_a_watched_step(folder: Path) -> None:
    """Runs 1 to 3 are for calls, the backward pass and to warm up, 4 is bare, 5 is watched."""
    raises(folder, 5, KeyboardInterrupt)


@check
def an_error_in_a_watched_step(folder: Path) -> None:
    """The gradients of other nets are right afterwards."""
    gradient = mindspore.grad(lambda x: (x * x).sum())
    raises(folder, 5, ValueError)
    assert (gradient(mindspore.Tensor([1.0, 2.0])).asnumpy() == [2.0, 4.0]).all()


def main() -> None:
    """Run the checks that are named."""
    warnings.simplefilter("ignore")
    for name in sys.argv[1:]:
        found = {"check": name}
        try:
            with tempfile.TemporaryDirectory() as folder:
                CHECKS[name](Path(folder))
        except BaseException:
            found["why"] = traceback.format_exc()
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
