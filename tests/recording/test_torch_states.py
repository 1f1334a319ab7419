"""What a step finds and the step before it left, in a trace: the same things are not kept twice, others always are."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import tracer
from tracer.recorder.norms import moved, squares

X = torch.from_numpy(np.random.default_rng(0).standard_normal((12, 64)).astype("float32"))
Y = torch.from_numpy(np.random.default_rng(1).integers(0, 64, 12))
KEPT = [{}, {"keep": "statistics"}, {"every": 2, "rest": "statistics"}, {"keep_steps": [1, 2], "rest": "statistics"}]


def recorded(out, between=lambda model, optimizer: None, on_gradients=lambda model: None, steps=3, **options):
    """A trace of some steps; what the net and AdamW held before and after each; the gradients that AdamW got."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64), nn.GELU(), nn.Linear(64, 64))
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    truth = []

    def held():
        states = {
            (name, key): value.clone()
            for name, p in model.named_parameters()
            for key, value in optimizer.state.get(p, {}).items()
        }
        return {name: value.clone() for name, value in model.state_dict().items()}, states

    with tracer.recording(model, out=out, optimizer=optimizer, **options) as recording:
        for _ in range(steps):
            before = held()
            with recording.step():
                recording.loss(F.cross_entropy(model(X), Y)).backward()
                on_gradients(model)
                gradients = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
                optimizer.step()
                optimizer.zero_grad()
            truth.append((before, held(), gradients))
            between(model, optimizer)
    return tracer.Trace(out), truth


def like(kept, tensor):
    """Is a kept array this tensor, bit for bit as far as the trace has values, else by digest and statistics?"""
    array = tensor.numpy()
    known = tracer.trace.statistics
    assert kept.digest == known.digest(array)
    assert kept.statistics.l2 == pytest.approx(known.statistics(array).l2)
    return not kept.stored or np.array_equal(np.asarray(kept), array)


def assert_true(trace, truth):
    """All that stands in the trace of parameters, states and gradients is as it was."""
    for step, (before, after, gradients) in zip(trace.steps, truth, strict=True):
        for kept, states, (tensors, entries) in (
            (step.parameters_before, step.optimizer.state_before, before),
            (step.parameters_after, step.optimizer.state_after, after),
        ):
            assert set(kept) == set(tensors)
            assert all(like(kept[name], tensor) for name, tensor in tensors.items())
            assert {(name, key) for name, found in states.items() for key in found} == set(entries)
            assert all(like(states[name][key], tensor) for (name, key), tensor in entries.items())
        assert all(like(step.optimizer.gradients[name], tensor) for name, tensor in gradients.items())


@pytest.mark.parametrize("options", KEPT, ids=str)
def test_each_step_is_as_it_was(tmp_path, options):
    """Whatever is kept of it and of the one before."""
    assert_true(*recorded(tmp_path / "t.h5", steps=4, **options))


@pytest.mark.parametrize("options", KEPT, ids=str)
def test_changes_that_nothing_counts_are_seen(tmp_path, options):
    """Weights clamped through `.data`, a state altered through numpy: torch's counters of changes stand still."""

    def between(model, optimizer):
        versions = [p._version for p in model.parameters()]
        model[3].weight.data.clamp_(-0.01, 0.01)
        optimizer.state[model[0].weight]["exp_avg"].numpy()[0, 0] += 1.0
        assert versions == [p._version for p in model.parameters()]

    assert_true(*recorded(tmp_path / "t.h5", between, **options))


@pytest.mark.parametrize("options", KEPT, ids=str)
def test_parameters_that_are_replaced_are_seen(tmp_path, options):
    """Other tensors in the same places, with counters that start again."""

    def between(model, optimizer):  # noqa: ARG001
        model[1].running_mean = model[1].running_mean.clone() * 2
        model[3].bias.data = model[3].bias.data + 1

    assert_true(*recorded(tmp_path / "t.h5", between, **options))


@pytest.mark.parametrize("options", KEPT, ids=str)
@pytest.mark.parametrize(
    "on_gradients",
    [
        lambda model: nn.utils.clip_grad_norm_(model.parameters(), 0.1),
        lambda model: model[3].weight.grad.data.clamp_(-1e-3, 1e-3),
        lambda model: setattr(model[0].weight, "grad", None),
    ],
    ids=["norm", "data", "none"],
)
def test_gradients_are_those_that_the_optimizer_got(tmp_path, options, on_gradients):
    """Also where they were sent back otherwise."""
    assert_true(*recorded(tmp_path / "t.h5", on_gradients=on_gradients, **options))


def test_what_a_step_left_is_stored_once(tmp_path):
    """The next one begins with it: one array under two names, each in the place where it belongs."""
    recorded(tmp_path / "t.h5")
    with h5py.File(tmp_path / "t.h5") as file:
        for thing in ("params_{}/weight", "state_{}/weight/exp_avg"):
            left, found = (
                file[f"steps/{n}/layers/3/{thing.format(when)}"] for n, when in ((0, "after"), (1, "before"))
            )
            assert left.id.get_offset() == found.id.get_offset()
        begun = [file[f"steps/0/layers/3/{group}/weight"].id.get_offset() for group in ("params", "params_before")]
        assert begun[0] == begun[1]


def test_norms_are_those_of_float64():
    """In pieces and in all dtypes, and not finite where an element is not."""
    old, new = np.random.default_rng(0).standard_normal((2, 300_001))
    was, added = moved(old.astype("float32"), new.astype("float32"))
    assert was == pytest.approx(np.sum(old**2), rel=1e-6)
    assert added == pytest.approx(np.sum((new - old) ** 2), rel=1e-6)
    assert squares(old.astype("float16")) == pytest.approx(np.sum(old**2), rel=1e-4)
    assert squares(old + 1j * new) == pytest.approx(np.sum(old**2 + new**2))
    assert np.isnan(squares(np.array([1.0, np.nan], "float32")))
    assert squares(np.zeros((0, 3), "float32")) == 0
