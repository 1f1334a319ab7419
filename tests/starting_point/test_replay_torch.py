"""Layers of random output do again what the reference's did, torch beside torch: bit for bit."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tracer
from tests.starting_point.again import numbers, plan_for, record_again, record_plain, sample
from tracer.divergence.graph import CallId
from tracer.trace.reader import Trace

torch = pytest.importorskip("torch")
from tests.starting_point import torch_nets as nets  # noqa: E402

pytestmark = pytest.mark.torch

FLAT, TOKENS, IMAGE, LINE = sample(6, 8), sample(4, 5, 16), sample(2, 3, 6, 6), sample(4, 8, 5)

NETS: dict[str, tuple[Callable[[], Any], np.ndarray]] = {
    "mlp": (nets.Mlp, FLAT),
    "vit": (nets.Vit, TOKENS),
    "cnn with dropout of channels": (nets.Cnn, IMAGE),
    "rrelu": (nets.Slopes, FLAT),
    "shared dropout": (nets.Shared, FLAT),
    "in place": (nets.InPlace, FLAT),
    "alpha dropout": (nets.Alpha, LINE),
    "checkpoint": (nets.Checkpointed, FLAT),
    "reentrant checkpoint": (lambda: nets.Checkpointed(reentrant=True), FLAT),
    "drop path that does not scale": (
        lambda: torch.nn.Sequential(torch.nn.Linear(16, 16), nets.DropPath(0.5, scale_by_keep=False)),
        sample(16, 16),
    ),
    "all is dropped": (lambda: nets.Mlp(1.0), FLAT),
    "an encoder layer": (lambda: torch.nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True), TOKENS),
}


def made(build: Callable[[], Any], **state: Any) -> Any:
    """A net in training mode with weights that are always the same."""
    torch.manual_seed(0)
    net = build().train()
    if state:
        net.load_state_dict(state)
    return net


def both(build: Callable[[], Any], other: Callable[[], Any], x: np.ndarray, folder: Path) -> tuple[Path, Path, Any]:
    """The reference's trace, that of a candidate of the same weights which replays it, and the plan."""
    net = made(build)
    reference = record_plain(net, x, folder / "reference.h5")
    candidate = made(other, **net.state_dict())
    torch.manual_seed(99)
    plan = record_again(candidate, reference, x, folder / "candidate.h5")
    return reference, folder / "candidate.h5", plan


@pytest.mark.parametrize("name", NETS)
def test_the_same_net_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    """Outputs and gradients of every layer equal those of the reference, to the last bit."""
    build, x = NETS[name]
    reference, candidate, _ = both(build, build, x, tmp_path)
    ours, theirs = numbers(reference), numbers(candidate)
    assert ours.keys() == theirs.keys()
    assert [key for key in ours if not np.array_equal(ours[key], theirs[key], equal_nan=True)] == []


@pytest.mark.parametrize("name", NETS)
def test_training_mode_agrees(name: str, tmp_path: Path) -> None:
    """The diff of two recordings in training mode says that they agree, not that it cannot know."""
    build, x = NETS[name]
    reference, candidate, _ = both(build, build, x, tmp_path)
    assert tracer.diff(reference, candidate).verdict == "agree"


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16], ids=str)
def test_other_float_types_replay_to_the_bit(dtype: Any, tmp_path: Path) -> None:
    """The factor is rounded as torch rounds it in each type."""
    x = torch.from_numpy(FLAT).to(dtype)
    net = made(nets.Mlp).to(dtype)
    reference = record_plain(net, x, tmp_path / "reference.h5")
    candidate = made(nets.Mlp, **net.state_dict()).to(dtype)
    record_again(candidate, reference, x, tmp_path / "candidate.h5")
    ours, theirs = numbers(reference), numbers(tmp_path / "candidate.h5")
    assert [key for key in ours if ours[key].tobytes() != theirs[key].tobytes()] == []


def test_without_a_replay_nobody_can_say(tmp_path: Path) -> None:
    """Two draws of the same net are no fault of either."""
    reference = record_plain(made(nets.Mlp), FLAT, tmp_path / "a.h5")
    torch.manual_seed(5)
    net = made(nets.Mlp)
    torch.manual_seed(5)
    assert tracer.diff(reference, record_plain(net, FLAT, tmp_path / "b.h5")).verdict == "unsure"


def test_a_replay_of_another_run_is_none(tmp_path: Path) -> None:
    """Beside a trace whose masks it did not take, a replayed recording is as random as any."""
    _, candidate, _ = both(nets.Mlp, nets.Mlp, FLAT, tmp_path)
    net = made(nets.Mlp)
    torch.manual_seed(7)
    assert tracer.diff(record_plain(net, FLAT, tmp_path / "other.h5"), candidate).verdict == "unsure"


def test_the_trace_says_which_calls_were_replayed(tmp_path: Path) -> None:
    """Each with the digest of what the reference's call gave."""
    reference, candidate, _ = both(nets.Shared, nets.Shared, FLAT, tmp_path)
    with Trace(reference) as ours, Trace(candidate) as theirs:
        gave = [call.outputs[0].digest for call in ours.skeleton.steps[0].calls if call.path == "drop"]
        assert [(r.path, r.index, r.like) for r in theirs.skeleton.end.replayed] == [
            ("drop", index, digest) for index, digest in enumerate(gave)
        ]


OWN = {
    "nn.Dropout beside a class of the user's": (lambda: torch.nn.Dropout(0.4), nets.OwnDropout),
    "a class of the user's beside nn.Dropout": (nets.OwnDropout, lambda: torch.nn.Dropout(0.4)),
    "torchvision's word beside timm's": (lambda: nets.StochasticDepth(0.3), lambda: nets.DropPath(0.3)),
    "the whole batch": (lambda: nets.StochasticDepth(0.5, "batch"), lambda: nets.StochasticDepth(0.5, "batch")),
    "a path that is never dropped": (nets.DropPath, nets.DropPath),
    "a layer that divides": (nets.Temperature, nets.Temperature),
}


@pytest.mark.parametrize("name", OWN)
def test_classes_that_no_rule_knows_agree(name: str, tmp_path: Path) -> None:
    """What they do is known from what went in and came out."""
    ours, theirs = OWN[name]
    reference, candidate, _ = both(lambda: nets.around(ours()), lambda: nets.around(theirs()), sample(16, 16), tmp_path)
    assert tracer.diff(reference, candidate).verdict == "agree"


def test_two_draws_of_a_class_that_no_rule_knows_are_no_fault(tmp_path: Path) -> None:
    """Without a replay the diff cannot say, and does not accuse the layer."""
    x, net = sample(16, 16), made(lambda: nets.around(nets.DropPath(0.5)))
    reference = record_plain(net, x, tmp_path / "a.h5")
    torch.manual_seed(5)
    report = tracer.diff(reference, record_plain(net, x, tmp_path / "b.h5"))
    assert (report.verdict, report.origins[0].reference.path) == ("unsure", "1")


# What a replay must not hide.


def test_another_p_is_found(tmp_path: Path) -> None:
    """The mask is the reference's, the factor the candidate's own: so it shows, and is named."""
    reference, candidate, _ = both(nets.Mlp, lambda: nets.Mlp(0.5), FLAT, tmp_path)
    report = tracer.diff(reference, candidate)
    assert report.verdict == "diverged"
    assert report.origins[0].reference.path == "drop"
    assert report.origins[0].causes[0].name == "p"


def test_another_rate_in_a_class_of_ones_own_is_found(tmp_path: Path) -> None:
    """Also where one side's class is known and the other's is not."""
    reference, candidate, _ = both(
        lambda: nets.around(torch.nn.Dropout(0.5)), lambda: nets.around(nets.OwnDropout()), sample(16, 16), tmp_path
    )
    report = tracer.diff(reference, candidate)
    assert (report.verdict, report.origins[0].reference.path) == ("diverged", "1")


def test_a_mask_without_anything_kept_hides_no_p(tmp_path: Path) -> None:
    """Where the reference dropped all, a candidate of another p is left to draw."""
    reference, candidate, plan = both(lambda: nets.Mlp(1.0), nets.Mlp, FLAT, tmp_path)
    assert not plan.replays
    assert tracer.diff(reference, candidate).origins[0].causes[0].name == "p"


def test_a_rehearsal_that_drops_all_is_helped_by_settings(tmp_path: Path) -> None:
    """Then the factor is what the candidate's settings say, and another rate is found all the same."""
    x = sample(2, 16)
    reference = record_plain(made(lambda: nets.around(nets.DropPath(0.2))), x, tmp_path / "reference.h5")
    net = made(lambda: nets.around(nets.DropPath(0.9)))
    torch.manual_seed(4)
    plan = record_again(net, reference, x, tmp_path / "candidate.h5")
    with Trace(tmp_path / "rehearsal.h5") as trace:
        assert trace.skeleton.steps[0].calls[2].outputs[0].statistics.l2 == 0
    assert plan.replays["1"][0].factor.max() == pytest.approx(10.0)


def test_a_p_of_zero_is_found(tmp_path: Path) -> None:
    """A candidate that drops nothing is not made to."""
    reference, candidate, plan = both(nets.Mlp, lambda: nets.Mlp(0.0), FLAT, tmp_path)
    assert plan.refused[CallId("drop", 0)] == "the candidate's layer is set to draw nothing"
    assert tracer.diff(reference, candidate).origins[0].causes[0].name == "p"


def test_a_fault_elsewhere_is_found_where_it_is(tmp_path: Path) -> None:
    """Randomness that is replayed hides nothing of what comes after it."""
    reference, candidate, _ = both(nets.Mlp, lambda: nets.Mlp(scale=1.01), FLAT, tmp_path)
    report = tracer.diff(reference, candidate)
    assert (report.verdict, report.origins[0].place) == ("diverged", "between")
    assert report.origins[0].point.reference.path == "fc2"


def test_a_drop_path_that_forgets_to_scale_is_found(tmp_path: Path) -> None:
    """Of a class no rule knows the candidate's factor is the one that its rehearsal showed."""

    def net(*, scale: bool) -> Any:
        return torch.nn.Sequential(torch.nn.Linear(16, 16), nets.DropPath(0.5, scale), torch.nn.Linear(16, 4))

    x = sample(16, 16)
    reference, candidate, _ = both(lambda: net(scale=True), lambda: net(scale=False), x, tmp_path)
    report = tracer.diff(reference, candidate)
    assert (report.verdict, report.origins[0].reference.path) == ("diverged", "1")


def test_another_drop_path_rate_is_found(tmp_path: Path) -> None:
    """So is another rate of a class no rule knows."""
    reference, candidate, _ = both(nets.Vit, lambda: nets.Vit(path=0.6), TOKENS, tmp_path)
    report = tracer.diff(reference, candidate)
    assert (report.verdict, report.origins[0].reference.path) == ("diverged", "blocks.0.drop_path")


class DropsElements(nets.DropPath):
    """A wrong port: every element by itself."""

    def forward(self, x: Any) -> Any:
        return x * torch.empty_like(x).bernoulli_(1 - self.drop_prob) / (1 - self.drop_prob)


class DropPathWithoutGradient(nets.DropPath):
    """A wrong port: no gradient comes through."""

    def forward(self, x: Any) -> Any:
        return super().forward(x).detach() + 0 * x


class DropPathThatAdds(nets.DropPath):
    """A wrong port: it does something else as well."""

    def forward(self, x: Any) -> Any:
        return super().forward(x) + 0.01


@pytest.mark.parametrize("wrong", [DropsElements, DropPathWithoutGradient, DropPathThatAdds])
def test_a_layer_that_does_something_else_is_not_replayed(wrong: type, tmp_path: Path) -> None:
    """A replay would put right what is wrong in it: it is named instead."""

    def net(kind: type) -> Any:
        return torch.nn.Sequential(torch.nn.Linear(16, 16), kind(0.5), torch.nn.Linear(16, 4))

    _, _, plan = both(lambda: net(nets.DropPath), lambda: net(wrong), sample(16, 16), tmp_path)
    assert set(plan.refused) == {CallId("1", 0)}
    assert not plan.replays


def test_other_bounds_of_rrelu_are_found(tmp_path: Path) -> None:
    """The place between the bounds is the reference's, the bounds are the candidate's own."""
    reference, candidate, _ = both(nets.Slopes, lambda: nets.Slopes(0.1, 0.8), FLAT, tmp_path)
    report = tracer.diff(reference, candidate)
    assert report.origins[0].causes[0].name == "upper"


def test_dropout_of_elements_is_none_of_channels(tmp_path: Path) -> None:
    """A candidate of another kind of dropout is not made to drop as the reference does."""

    class Other(nets.Cnn):
        def __init__(self) -> None:
            super().__init__()
            self.drop = torch.nn.Dropout(0.4)

    _, _, plan = both(nets.Cnn, Other, IMAGE, tmp_path)
    assert not plan.replays
    assert CallId("drop", 0) in plan.refused


# What cannot be replayed is named.


def test_dropout_inside_attention_is_named(tmp_path: Path) -> None:
    """What draws inside a layer that is judged whole was never seen."""
    _, _, plan = both(nets.Attends, nets.Attends, TOKENS[:, :, :8], tmp_path)
    assert any(note.startswith("attention: its randomness is not replayed") for note in plan.notes)


def test_dropout_as_a_function_is_named(tmp_path: Path) -> None:
    """Where what code made is what a layer gave, times 0 or a factor, code drops."""
    _, _, plan = both(nets.Attends, nets.Attends, TOKENS[:, :, :8], tmp_path)
    assert any(note.startswith("code between layers of the reference seems to drop before c:") for note in plan.notes)


def test_a_reference_without_arrays_is_named(tmp_path: Path) -> None:
    """Statistics are not enough to know what was dropped."""
    reference = tmp_path / "statistics.h5"
    tracer.record(made(nets.Mlp), FLAT, out=reference, keep="statistics")
    plan = plan_for(made(nets.Mlp), reference, FLAT, tmp_path)
    assert not plan.replays
    assert "keeps no arrays" in plan.refused[CallId("drop", 0)]


def test_another_shape_is_named(tmp_path: Path) -> None:
    """A mask fits its own shape only."""
    reference = record_plain(made(nets.Mlp), FLAT, tmp_path / "reference.h5")
    plan = plan_for(made(nets.Mlp), reference, FLAT[:4], tmp_path)
    assert plan.refused[CallId("drop", 0)] == "its input is (6, 32) in the reference and (4, 32) in the candidate"


def test_a_layer_of_the_candidate_alone_is_named(tmp_path: Path) -> None:
    """Where the reference has no layer that draws, nothing can be taken from it."""
    reference = record_plain(made(lambda: nets.Mlp(0.0)), FLAT, tmp_path / "reference.h5")
    plan = plan_for(made(nets.Mlp), reference, FLAT, tmp_path)
    assert any(note.startswith("drop: it draws in the candidate") for note in plan.notes)


def test_zeros_without_gradients_are_counted(tmp_path: Path) -> None:
    """Where an input was 0 and no gradient tells, what was dropped is not known; it is said."""
    reference = record_plain(made(nets.Mlp), FLAT, tmp_path / "reference.h5", backward=False)
    plan = plan_for(made(nets.Mlp), reference, FLAT, tmp_path, backward=False)
    assert any("could not be seen whether they were dropped" in note for note in plan.notes)


# What draws nothing is left alone.


def test_evaluation_mode_needs_no_replay(tmp_path: Path) -> None:
    """Nothing is random there."""
    net = made(nets.Vit).eval()
    reference = record_plain(net, TOKENS, tmp_path / "reference.h5")
    plan = plan_for(net, reference, TOKENS, tmp_path)
    assert (plan.replays, plan.notes) == ({}, ())


@pytest.mark.parametrize("build", [nets.NotRandom, lambda: nets.Mlp(0.0)], ids=["own relu", "p=0"])
def test_what_draws_nothing_is_not_replayed(build: Callable[[], Any], tmp_path: Path) -> None:
    """Neither a ReLU of the user's nor a dropout of p=0."""
    _, _, plan = both(build, build, FLAT, tmp_path)
    assert (plan.replays, plan.notes) == ({}, ())


# The net is put back.


def test_the_net_is_as_it_was(tmp_path: Path) -> None:
    """No method, bit or random number of it is another."""
    net = made(nets.Vit)
    reference = record_plain(net, TOKENS, tmp_path / "reference.h5")
    before = {name: vars(module).copy() for name, module in net.named_modules()}
    state, weights = torch.get_rng_state(), copy.deepcopy(net.state_dict())
    record_again(net, reference, TOKENS, tmp_path / "candidate.h5")
    assert all(vars(module).keys() == before[name].keys() for name, module in net.named_modules())
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(weights[name], value) for name, value in net.state_dict().items())


def test_a_net_that_raises_is_put_back(tmp_path: Path) -> None:
    """Its error comes through, the trace says what was replayed up to there, and its dropout is its own again."""
    net = made(nets.Mlp)
    reference = record_plain(net, FLAT, tmp_path / "reference.h5")
    plan = plan_for(net, reference, FLAT, tmp_path)
    raising = made(nets.Raises, **net.state_dict())
    from tracer.recorder.choice import Choice
    from tracer.recorder import Options, run_and_record

    with pytest.raises(ValueError, match="not today"):
        run_and_record(
            raising,
            (FLAT,),
            {},
            tmp_path / "raised.h5",
            Options("values", Choice()),
            backward=True,
            replays=plan.replays,
        )
    assert "forward" not in vars(raising.drop)
    with Trace(tmp_path / "raised.h5") as trace:
        assert [(r.path, r.index) for r in trace.skeleton.end.replayed] == [("drop", 0)]


def test_a_forward_of_the_users_own_comes_back(tmp_path: Path) -> None:
    """A method that the user put on the layer itself is there again."""
    net = made(nets.Mlp)
    reference = record_plain(net, FLAT, tmp_path / "reference.h5")
    own = net.drop.forward
    net.drop.forward = own
    record_again(net, reference, FLAT, tmp_path / "candidate.h5")
    assert vars(net.drop)["forward"] is own
